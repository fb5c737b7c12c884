"""
Sends a data set with its card to the Hugging Face Hub.

    python -m datasets_scripts.push mp-crystals --repo_id you/mp-crystals --dry_run
    python -m datasets_scripts.push runs/mp-narratives --repo_id you/mp-narratives
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.hub import plan_upload, publish
from modeling_clac.utils.paths import ASSETS


@dataclass
class PushArguments:
    """Arguments of the upload."""

    data_set: str = field(metadata={"help": "Directory of a data set, or the name of a bundled one. Also first word."})
    repo_id: str = field(metadata={"help": "Where to: owner/name."})
    public: bool = field(default=False, metadata={"help": "Let everyone see it; default only you."})
    update: bool = field(default=False, metadata={"help": "Replace what the repository holds."})
    dry_run: bool = field(default=False, metadata={"help": "List what would be sent, and stop."})


def push(arguments: PushArguments) -> None:
    """
    Raises:
        ClacInputError: the data set is not fit to be published, or the Hub refuses.
    """
    directory = Path(arguments.data_set)
    if not directory.is_dir() and (ASSETS / arguments.data_set).is_dir():
        directory = ASSETS / arguments.data_set
    upload = plan_upload(directory, arguments.repo_id, "dataset", private=not arguments.public)
    for name, size in upload.files.items():
        print(f"{size:>14,}  {name}")
    visible = "private" if upload.private else "public"
    print(f"{upload.size:>14,}  bytes, {len(upload.files)} files, to the {visible} data set {upload.repo_id}")
    if arguments.dry_run:
        print("dry run: nothing was sent")
    else:
        print(publish(upload, update=arguments.update))


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.argv.insert(1, "--data_set")
    run_script(PushArguments, push)

"""
Upload a data set and its card to the Hugging Face Hub.

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

    data_set: str = field(
        metadata={
            "help": "Directory of a data set, or name of a bundled one. May be given as the first argument without "
            "the flag."
        }
    )
    repo_id: str = field(metadata={"help": "Repository on the Hub, owner/name."})
    public: bool = field(default=False, metadata={"help": "Make the repository public. Default: private."})
    update: bool = field(default=False, metadata={"help": "Replace the contents of an existing repository."})
    dry_run: bool = field(default=False, metadata={"help": "Only list the files that would be uploaded."})


def push(arguments: PushArguments) -> None:
    """
    Upload a data set, or list its files with `dry_run`.

    Raises:
        ClacInputError: If the data set cannot be published or the Hub rejects the upload.
    """
    directory = Path(arguments.data_set)
    if not directory.is_dir() and (ASSETS / arguments.data_set).is_dir():
        directory = ASSETS / arguments.data_set
    upload = plan_upload(directory, arguments.repo_id, "dataset", private=not arguments.public)
    for name, size in upload.files.items():
        print(f"{size:>14,}  {name}")
    visible = "private" if upload.private else "public"
    print(f"{upload.size:>14,}  bytes in {len(upload.files)} files, to the {visible} data set {upload.repo_id}")
    if arguments.dry_run:
        print("dry run: nothing was uploaded")
    else:
        print(publish(upload, update=arguments.update))


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.argv.insert(1, "--data_set")
    run_script(PushArguments, push)

"""Upload of a checkpoint, a data set or a Space, with its card, to the Hugging Face Hub in a single commit."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..checkpoint_files_clac import checkpoint_config, is_hub_id, require_clac, weight_files
from ..errors_clac import ClacInputError, first_line, one_line

Kind = Literal["model", "dataset", "space"]

# Files that are published. Journals, reports and caches are not.
_FILES: dict[str, tuple[str, ...]] = {
    "model": ("README.md", "*.json", "*.safetensors", "*.onnx", "*.py", "*.txt"),
    "dataset": ("README.md", "*.parquet"),
    "space": ("README.md", "*.py", "requirements.txt", "modeling_clac/*"),
}
# Folder of a Space that holds the package.
_PACKAGE = "modeling_clac/**/*"
# Folder of a model whose results the Hub lists under their data sets.
EVAL_RESULTS = ".eval_results"
_RESULTS = f"{EVAL_RESULTS}/*.yaml"
_HIDDEN = ("report-*.json", ".*")


@dataclass(frozen=True)
class Upload:
    """
    An upload that has been checked.

    Attributes:
        repo_id: Repository id, `owner/name`.
        kind: `model`, `dataset` or `space`.
        directory: Directory that holds the files.
        files: Name -> size in bytes.
        private: Whether a new repository is private.
    """

    repo_id: str
    kind: Kind
    directory: Path
    files: dict[str, int]
    private: bool

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(self.files.values())


def plan_upload(directory: str | os.PathLike[str], repo_id: str, kind: Kind, private: bool = True) -> Upload:
    """
    Check that a directory can be published. Needs no network.

    Args:
        directory: A checkpoint, a data set or the folder of a Space.
        repo_id: Repository id, `owner/name`.
        kind: `model`, `dataset` or `space`.
        private: Whether a new repository is private.

    Raises:
        ClacInputError: The directory does not exist, `repo_id` is invalid, the card is missing or its metadata is
            incomplete, or a file is missing or damaged.
    """
    path = Path(directory)
    if not path.is_dir():
        raise ClacInputError(f"{path}: no such directory")
    if not is_hub_id(repo_id):
        raise ClacInputError(f"{repo_id}: not a repository id, expected owner/name")
    found = [entry for entry in sorted(path.iterdir()) if entry.is_file() and _belongs(entry.name, kind)]
    card = _card_metadata(path / "README.md")
    if kind == "model":
        _check_model(path)
        found += sorted(path.glob(_RESULTS))
    elif kind == "dataset":
        _check_dataset(path, card)
    else:
        _check_space(path, card)
        found += sorted(entry for entry in path.glob(_PACKAGE) if entry.is_file())
    files = {entry.relative_to(path).as_posix(): entry.stat().st_size for entry in found}
    return Upload(repo_id, kind, path, files, private)


def _belongs(name: str, kind: Kind) -> bool:
    hidden = any(fnmatch.fnmatch(name, pattern) for pattern in _HIDDEN)
    return not hidden and any(fnmatch.fnmatch(name, pattern) for pattern in _FILES[kind])


def _card_metadata(file: Path) -> dict[str, Any]:
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        raise ClacInputError(
            f"{file}: the card is missing; write one that describes the content and names its license"
        ) from None
    parts = text.split("---\n", 2)
    try:
        metadata = yaml.safe_load(parts[1]) if text.startswith("---\n") and len(parts) == 3 else None
    except yaml.YAMLError as error:
        raise ClacInputError(f"{file}: the metadata is not YAML ({one_line(error)})") from None
    if not isinstance(metadata, dict) or "license" not in metadata:
        raise ClacInputError(
            f"{file}: no license in the metadata; add one between two lines of --- at the top of the card"
        )
    return metadata


def _check_model(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    require_clac(path, checkpoint_config(path))
    for file in weight_files(path):
        try:
            with safe_open(file, framework="numpy"):
                pass
        except (OSError, SafetensorError) as error:
            raise ClacInputError(f"{file}: damaged ({first_line(error)}); save the checkpoint again") from None


def _check_dataset(path: Path, card: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    configs = card.get("configs")
    if not isinstance(configs, list) or not configs:
        raise ClacInputError(
            f"{path / 'README.md'}: no configs in the metadata; list the data files there, as load_dataset needs them"
        )
    patterns = [files["path"] for config in configs for files in config.get("data_files", [])]
    for pattern in patterns:
        if not list(path.glob(pattern)):
            raise ClacInputError(f"{path}: no file matches {pattern}, which the card lists; build the data set again")
    for file in sorted(path.glob("*.parquet")):
        if not any(fnmatch.fnmatch(file.name, pattern) for pattern in patterns):
            raise ClacInputError(f"{file}: not listed in the card; move it elsewhere or build the data set again")
        try:
            pq.ParquetFile(file)
        except (OSError, pa.ArrowInvalid) as error:
            raise ClacInputError(f"{file}: damaged ({first_line(error)}); build the data set again") from None


def _check_space(path: Path, card: dict[str, Any]) -> None:
    if card.get("sdk") != "gradio" or not (path / str(card.get("app_file"))).is_file():
        raise ClacInputError(
            f"{path / 'README.md'}: not the card of a Space with gradio; write the folder with `clac push --space`"
        )


def publish(upload: Upload, token: str | None = None, update: bool = False) -> str:
    """
    Create the repository and upload the files.

    Large files are uploaded first; a second attempt skips those that have arrived. One commit then makes all files
    visible at once.

    Args:
        upload: From [`plan_upload`].
        token: Access token of the Hub. Default: the one stored by `hf auth login`, or `HF_TOKEN`.
        update: Replace the files of a repository that is not empty.

    Returns:
        The URL of the repository.

    Raises:
        ClacInputError: There is no token, it has no write permission, the name is taken, or the Hub cannot be reached.
    """
    import httpx2  # the HTTP client of huggingface_hub 2
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    if constants.HF_HUB_OFFLINE:
        raise ClacInputError("HF_HUB_OFFLINE is set, so nothing can be uploaded; unset it and try again")
    api = HfApi(token=token)
    place: dict[str, Any] = {"repo_id": upload.repo_id, "repo_type": upload.kind}
    try:
        if api.repo_exists(**place):
            held = [name for name in api.list_repo_files(**place) if name != ".gitattributes"]
            if held and not update:
                raise ClacInputError(
                    f"{upload.repo_id}: already exists with {len(held)} files; choose another name, or use --update "
                    "to replace them"
                )
        else:
            sdk = "gradio" if upload.kind == "space" else None
            api.create_repo(**place, private=upload.private, space_sdk=sdk)
        commit = api.upload_folder(
            **place,
            folder_path=upload.directory,
            allow_patterns=list(upload.files),
            # Otherwise load_dataset would also read the shards of an earlier build.
            delete_patterns=[*_FILES[upload.kind], _RESULTS],
            commit_message=f"{upload.kind} of {len(upload.files)} files",
        )
    except LocalTokenNotFoundError:
        raise ClacInputError("no token for the Hub; log in with `hf auth login` or set HF_TOKEN") from None
    except HfHubHTTPError as error:
        raise ClacInputError(f"{upload.repo_id}: {_refusal(error)}") from None
    except (OfflineModeIsEnabled, httpx2.HTTPError, OSError, RuntimeError) as error:
        # huggingface_hub raises RuntimeError when an upload is interrupted.
        raise ClacInputError(
            f"{constants.ENDPOINT}: cannot be reached ({first_line(error)}); nothing was published, try again"
        ) from None
    return str(commit.repo_url)


def _refusal(error: Any) -> str:
    status = error.response.status_code if error.response is not None else None
    message = first_line(error.server_message or error)
    if status == 401:
        return f"the Hub rejected the token ({message}); log in with `hf auth login` or set HF_TOKEN"
    if status == 403:
        return f"no write permission ({message}); check the owner and the permissions of the token"
    if status == 409:
        return f"the name is taken ({message}); choose another one"
    return f"the Hub returned status {status} ({message}); nothing was published, try again"


__all__ = ["EVAL_RESULTS", "Kind", "Upload", "plan_upload", "publish"]

"""The base in transformers' format: ``python -m shopfloor.finetune.lora.prepare REQUEST.json`` in the trainer's environment.

Made once for a model file and kept beside the other derived files; prints where it lies.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from shopfloor.errors import ShopfloorError
from shopfloor.local_models.hf_files import find_source


class PrepareRequest(BaseModel):
    """Which model file, and where derived files lie."""

    model: Path
    models: Path


class Prepared(BaseModel):
    """The only line it prints: the folder, or why there is none."""

    folder: Path | None = None
    reason: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one request."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    request = PrepareRequest.model_validate_json(Path(path).read_text(encoding="utf-8"))
    try:
        found = Prepared(folder=Path(find_source(request.model, "", request.models).location))
    except (ShopfloorError, OSError) as error:
        found = Prepared(reason=str(error))
    print(found.model_dump_json(), flush=True)
    return 0 if found.folder is not None else 1


if __name__ == "__main__":
    sys.exit(main())

"""Finds what transformers loads: a folder, a repository's name, or a GGUF file converted once and kept."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.converting import converted
from shopfloor.local_models.files import ModelFile, file_hash, open_model_file
from shopfloor.local_models.libraries import library as library_for

MENDING = "run `scripts/env.sh hf` and serve from .venvs/hf, or set SHOPFLOOR_RUNTIME=embedded"


@dataclass(frozen=True, slots=True)
class HfSource:
    """What to load: ``location`` is a folder or a repository; hashes as in ModelInfo."""

    location: str
    name: str
    source_hash: str
    form_hash: str
    licence: str


def library(name: str) -> Any:
    """Import a library of the hf environment. Its types are unknown here, where it is not installed.

    Raises:
        ConfigError: it is not installed.
    """
    return library_for(name, "SHOPFLOOR_RUNTIME=hf", MENDING)


def four_bits(compute: Any) -> Any:
    """How bitsandbytes reads weights into NF4 with double quantisation (QLoRA, arXiv:2305.14314).

    Args:
        compute: the torch dtype it calculates in.

    Raises:
        ConfigError: transformers is not installed.
    """
    return library("transformers").BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute
    )


def find_source(model: Path | None, repository: str, models_path: Path) -> HfSource:
    """Settle what to load (blocking; converts a GGUF file once, which takes a minute).

    Raises:
        ModelMissingError: the file or folder is absent or damaged.
        ModelError: the conversion failed or there is no room for it.
    """
    if model is None:
        digest = hashlib.sha256(repository.encode()).hexdigest()  # replaced by the loaded revision's
        return HfSource(repository, repository.rpartition("/")[2], digest, digest, "unknown")
    if model.is_dir():
        weights = sorted(model.glob("*.safetensors"))
        if not weights or not (model / "config.json").is_file():
            raise ModelMissingError(f"{model} holds no config.json with safetensors: name a model's folder")
        hashes = [file_hash(path, models_path) for path in weights]
        digest = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        return HfSource(str(model), model.name, digest, digest, "unknown")
    source = open_model_file(model, models_path)
    folder = converted(source, models_path, "hf", _convert)
    form = hashlib.sha256(f"{source.sha256} transformers float32".encode()).hexdigest()
    return HfSource(str(folder), source.name, source.sha256, form, source.licence)


def _convert(source: ModelFile, folder: Path) -> None:
    transformers, torch = library("transformers"), library("torch")
    where, file = str(source.path.parent), source.path.name
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, gguf_file=file)
        model = transformers.AutoModelForCausalLM.from_pretrained(where, gguf_file=file, dtype=torch.float32)
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ModelError(
            f"transformers can't read {source.path} ({error}): name a folder or a repository instead"
        ) from error
    # It takes the weights for quantised still, and refuses to save them; they are plain by now.
    model.hf_quantizer = None
    model.is_quantized = False
    model.quantization_method = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

"""The base model with a fresh LoRA on it, and the loss: the output layer is applied only where something is learned.

A plain causal-LM loss computes logits of the whole vocabulary for every token of the prompt; here the last layer's hidden
states are gathered at the answers' positions first, and with labels only the labels' rows of the output layer are used.
For a 49k-token vocabulary that is most of the memory and a good part of the time of a small model. Rows are packed without
padding, and what they begin with alike is read once (``batches.py``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shopfloor.errors import InputError, ModelError
from shopfloor.finetune.lora.batches import Tokenised, pack
from shopfloor.finetune.lora.job import TrainJob
from shopfloor.local_models.hf_files import four_bits, library


class Network:
    """A model in training."""

    def __init__(self, job: TrainJob) -> None:
        """Load the base and put an untrained LoRA on it (blocking, seconds).

        Raises:
            ConfigError: the libraries are not installed.
            ModelError: the base can't be loaded.
        """
        self._torch, transformers, peft = library("torch"), library("transformers"), library("peft")
        self._torch.manual_seed(job.recipe.seed)
        self._torch.use_deterministic_algorithms(True, warn_only=True)
        if job.threads:
            self._torch.set_num_threads(job.threads)
        self.device = "cuda" if self._torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(job.base))
            base: Any = transformers.AutoModelForCausalLM.from_pretrained(
                str(job.base), attn_implementation="sdpa", device_map={"": self.device}, **self._precision(job)
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"the base model {job.base} can't be loaded for training ({error})") from error
        if job.recipe.precision == "nf4":
            base = peft.prepare_model_for_kbit_training(base, use_gradient_checkpointing=job.recipe.checkpointing)
        elif job.recipe.checkpointing:
            base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            base.enable_input_require_grads()
        config = peft.LoraConfig(
            r=job.recipe.rank,
            lora_alpha=job.recipe.alpha,
            lora_dropout=0.0,
            bias="none",
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        self._model: Any = peft.get_peft_model(base, config)
        self._model.train()
        self._labels = self._label_ids(job.labels)

    @property
    def weights(self) -> Mapping[str, Any]:
        """The trainable parameters by name."""
        return {name: value for name, value in self._model.named_parameters() if value.requires_grad}

    def encode(self, text: str) -> list[int]:
        """Token ids of a raw text."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def loss(self, rows: Sequence[Tokenised]) -> Any:
        """Cross-entropy summed over the answers' tokens, each by its example's weight; with labels, among the labels.

        Raises:
            InputError: an answer is none of the labels.
        """
        torch = self._torch
        packed = pack(rows)
        owners = torch.tensor(packed.owners)
        # A token sees the common start and what came before it of its own row.
        seen = ((owners[None, :] == owners[:, None]) | (owners[None, :] < 0)).tril()
        states = self._model.base_model.model.model(
            input_ids=torch.tensor([packed.tokens], device=self.device),
            attention_mask=seen[None, None].to(self.device),
            position_ids=torch.tensor([packed.places], device=self.device),
            use_cache=False,
        ).last_hidden_state[0]
        where, wanted, weights = (list(part) for part in zip(*packed.learned, strict=True))
        losses = torch.nn.functional.cross_entropy(
            self._logits(states[where]).float(), self._targets(wanted), reduction="none"
        )
        return (losses * torch.tensor(weights, device=self.device)).sum()

    def save(self, folder: Path) -> None:
        """Write the adapter in PEFT's format."""
        self._model.save_pretrained(str(folder), safe_serialization=True)

    def _logits(self, states: Any) -> Any:
        head = self._model.base_model.model.lm_head
        if not self._labels:
            return head(states)
        return states @ head.weight[list(self._labels)].to(states.dtype).T

    def _targets(self, wanted: Sequence[int]) -> Any:
        if not self._labels:
            return self._torch.tensor(wanted, device=self.device)
        try:
            places = [self._labels[token] for token in wanted]
        except KeyError as error:
            word = self._tokenizer.decode([error.args[0]])
            raise InputError(f"the answer {word!r} is none of the labels") from error
        return self._torch.tensor(places, device=self.device)

    def _label_ids(self, labels: Sequence[str]) -> dict[int, int]:
        places: dict[int, int] = {}
        for place, label in enumerate(labels):
            tokens = self.encode(label)
            if len(tokens) != 1:
                raise InputError(f"the label {label!r} is {len(tokens)} tokens; labels must be single tokens")
            places[tokens[0]] = place
        return places

    def _precision(self, job: TrainJob) -> dict[str, Any]:
        torch = self._torch
        if job.recipe.precision == "float32":
            return {"dtype": torch.float32}
        if job.recipe.precision == "bfloat16":
            return {"dtype": torch.bfloat16}
        return {"dtype": torch.bfloat16, "quantization_config": four_bits(torch.bfloat16)}

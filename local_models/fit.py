"""Which of the profiles' models fit this machine, how fast they will be, and which to take: ``shopfloor models fit``.

A model that does not fit is never chosen, and the reason is its arithmetic. Nothing is downloaded or loaded for it.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gguf.constants import GGMLQuantizationType as Kind

from shopfloor.local_models.fit_files import DiskModel
from shopfloor.local_models.fit_memory import Load, Need, serving_need, training_need
from shopfloor.local_models.fit_shapes import Form, Shape, Tensor, plan, shape_named
from shopfloor.local_models.fit_speed import Rates, Speed, estimated_speed, speed_of
from shopfloor.local_models.hardware import WORKING_SET_SHARE, Hardware
from shopfloor.local_models.profiles import PROFILES, Agent, Budget, Licence, ModelSpec, Profile, RuntimeName

SERVICE = 260_000_000  # bytes of the service without a model: interpreter, libraries, catalogue, router
RESERVE = 512 * 2**20  # that stay free for the system
CARD_RESERVE = 300 * 2**20  # that the driver and the screen keep on a card
TRAINED_TOKENS = 256  # of a training step


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model for one agent. ``need`` is the model's own memory; ``training`` the peak of a training step, bytes.

    ``form`` is how its weights are stored where it is served.
    """

    agent: Agent
    profile: str
    model: ModelSpec
    form: str
    load: Load
    need: Need
    training: int
    speed: Speed
    fits: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to run: a model for each agent, their memory with the service's, what there is, and why."""

    profile: str
    runtime: RuntimeName
    models: dict[Agent, Candidate]
    needed: int
    limit: int
    reason: str
    file: Path | None = None

    @property
    def command(self) -> str:
        """What serves it."""
        if self.runtime == "embedded":
            file = self.file
            return f"SHOPFLOOR_MODEL={file} shopfloor serve" if file is not None else "shopfloor serve"
        return f"SHOPFLOOR_RUNTIME={self.runtime} SHOPFLOOR_PROFILE={self.profile} shopfloor serve"


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found. ``chosen`` is ``None`` when nothing fits."""

    hardware: Hardware
    candidates: tuple[Candidate, ...]
    chosen: Chosen | None


def fit(
    hardware: Hardware,
    *,
    rates: Rates | None = None,
    profile: str = "auto",
    accepted: Collection[str] = (),
    slots: int = 4,
    context: int = 2048,
    disk: DiskModel | None = None,
) -> Fit:
    """Predict for every candidate, and choose.

    Args:
        hardware: what there is.
        rates: what was measured on it; without, speeds are estimated from its memory bandwidth.
        profile: only this one's models; ``auto``: those of every profile made for this kind of machine.
        accepted: keys of the restrictive licences that were accepted.
        slots: requests served at once by the embedded model.
        context: tokens for each of them.
        disk: a model on disk, instead of those of the profiles.
    """
    if disk is not None:
        return _fit_disk(hardware, disk, rates, Load(context, slots))
    profiles = [known for known in PROFILES if known.name == profile] or list(suitable(hardware))
    found: list[Candidate] = []
    chosen: Chosen | None = None
    for known in profiles:
        own = list(_candidates(known, hardware, rates, accepted, Load(context, slots)))
        found += own
        chosen = chosen or _choose(known, own, hardware, prefer_permissive=profile == "auto")
    if profile == "auto" and len(profiles) == 1:
        found += _larger(hardware, rates, accepted, Load(context, slots))
    return Fit(hardware, tuple(found), chosen)


def _fit_disk(hardware: Hardware, disk: DiskModel, rates: Rates | None, load: Load) -> Fit:
    """Whether one file fits, served by this process on the processor."""
    cpu = next(profile for profile in PROFILES if profile.name == "cpu")
    limit = max(0, hardware.available - RESERVE)
    need = serving_need(disk.shape, disk.tensors, load)
    whole = need.total + SERVICE
    elements = sum(tensor.elements for tensor in disk.tensors)
    licence = Licence(disk.licence, permissive=True)  # whoever names a file knows its terms
    model = ModelSpec(disk.shape.name, round(elements / 1e6), disk.shape.architecture, disk.form, licence, {})
    candidates = tuple(
        Candidate(
            agent=agent,
            profile=cpu.name,
            model=model,
            form=disk.form,
            load=load,
            need=need,
            training=training_need(disk.shape, disk.tensors, assignment.adapter_rank, tokens=TRAINED_TOKENS),
            speed=_speed(disk.shape, disk.tensors, cpu, hardware, rates),
            fits=whole <= limit,
            reason=_reason(model, need, whole, limit, "available memory", licensed=True),
        )
        for agent, assignment in cpu.agents.items()
    )
    chosen = None
    if whole <= limit:
        chosen = replace(_chosen(cpu, candidates, whole, limit, f"{disk.path.name} fits"), file=disk.path)
    return Fit(hardware, candidates, chosen)


def suitable(hardware: Hardware) -> Iterator[Profile]:
    """The profiles made for this kind of machine, the strongest first; the embedded one runs anywhere."""
    for profile in PROFILES:
        if (profile.name == "m1-8gb" and hardware.unified) or (profile.name == "rtx3060-6gb" and hardware.gpu):
            yield profile
    yield next(profile for profile in PROFILES if profile.name == "cpu")


def measured_profiles(hardware: Hardware, profile: str) -> tuple[Profile, ...]:
    """The profiles whose models would run on this machine's processor, so that measuring it predicts them."""
    if profile == "auto":
        elsewhere = {known.name for known in suitable(hardware) if known.name != "cpu"}
        return PROFILES if not elsewhere else tuple(known for known in PROFILES if known.name == "cpu")
    return tuple(known for known in PROFILES if known.name == profile and not _is_estimated(known, hardware))


def _on_card(profile: Profile, hardware: Hardware) -> bool:
    return profile.name == "rtx3060-6gb" and hardware.gpu is not None


def _is_estimated(profile: Profile, hardware: Hardware) -> bool:
    """Whether its models run on a graphics part, which the probes do not measure."""
    return _on_card(profile, hardware) or (profile.name == "m1-8gb" and hardware.unified)


def limit_of(hardware: Hardware, profile: Profile) -> tuple[int, str]:
    """Bytes that models of a profile and their service may take together here, and what sets that limit."""
    limits = [(profile.budget.serving, f"the budget of {profile.name}")]
    free = hardware.available - RESERVE
    if profile.name == "rtx3060-6gb" and hardware.gpu is not None:
        limits.append((hardware.gpu.free - CARD_RESERVE, f"free memory of the {hardware.gpu.name}"))
    else:
        limits.append((free, "available memory"))
    if profile.name == "m1-8gb" and hardware.unified:
        limits.append((int(hardware.memory * WORKING_SET_SHARE), "what macOS lets the graphics part hold"))
    return min(limits)


def beside(profile: Profile) -> int:
    """Bytes of the service that count against the same memory as its models: not on a card."""
    return 0 if profile.name == "rtx3060-6gb" else SERVICE


def _candidates(
    profile: Profile, hardware: Hardware, rates: Rates | None, accepted: Collection[str], embedded: Load
) -> Iterator[Candidate]:
    limit, what = limit_of(hardware, profile)
    for agent, assignment in profile.agents.items():
        for model in (assignment.model, assignment.alternative):
            shape = shape_named(model.name) if model is not None else None
            if model is not None and shape is not None:
                load = embedded if profile.name == "cpu" else Load(assignment.context, 1, kv=assignment.kv)
                tensors = plan(shape, form_of(model))
                need = serving_need(shape, tensors, load, on_card=_on_card(profile, hardware))
                whole = need.total + beside(profile)
                licensed = model.licence.permissive or model.licence.key in accepted
                fits = whole <= limit and licensed
                yield Candidate(
                    agent=agent,
                    profile=profile.name,
                    model=model,
                    form=form_of(model),
                    load=load,
                    need=need,
                    training=training_need(shape, tensors, assignment.adapter_rank, tokens=TRAINED_TOKENS),
                    speed=_speed(shape, tensors, profile, hardware, rates),
                    fits=fits,
                    reason=_reason(model, need, whole, limit, what, licensed=licensed),
                )


def kinds_of(profiles: Iterable[Profile]) -> frozenset[Kind]:
    """The forms of weights that their models hold: what has to be measured to predict them."""
    found: set[Kind] = set()
    for profile in profiles:
        for assignment in profile.agents.values():
            for model in (assignment.model, assignment.alternative):
                shape = shape_named(model.name) if model is not None else None
                if model is not None and shape is not None:
                    found |= {tensor.kind for tensor in plan(shape, form_of(model)) if len(tensor.shape) > 1}
    return frozenset(found)


def _larger(hardware: Hardware, rates: Rates | None, accepted: Collection[str], load: Load) -> Iterator[Candidate]:
    """The other profiles' models on this processor: they are named by hand (``SHOPFLOOR_MODEL``), never chosen."""
    cpu = next(profile for profile in PROFILES if profile.name == "cpu")
    limit = hardware.available - RESERVE
    for profile in PROFILES:
        if profile is not cpu:
            agents = {
                agent: replace(assignment, context=load.context, kv="f16")
                for agent, assignment in profile.agents.items()
            }
            slower = replace(profile, agents=agents, name="cpu", budget=Budget(max(0, limit), profile.budget.training))
            yield from _candidates(slower, hardware, rates, accepted, load)


def form_of(model: ModelSpec) -> Form:
    """The form a profile names for a model; the embedded file is served in its faster one."""
    forms: dict[str, Form] = {"Q4_0": "Q4_0", "Q4_K_M": "Q4_K_M", "Q4_1": "Q8_0", "Q8_0": "Q8_0"}
    return forms[model.quantisation]


def _reason(model: ModelSpec, need: Need, whole: int, limit: int, what: str, *, licensed: bool) -> str:
    if whole > limit:
        return f"{need.arithmetic()}, with the service {whole / 1e6:.0f} MB: more than {limit / 1e6:.0f} MB, {what}"
    if not licensed:
        return f"{model.licence.name}: {model.licence.note}; accept by `shopfloor models accept {model.licence.key}`"
    return f"{need.arithmetic()}, with the service {whole / 1e6:.0f} MB of {limit / 1e6:.0f} MB, {what}"


def _speed(shape: Shape, tensors: Sequence[Tensor], profile: Profile, hardware: Hardware, rates: Rates | None) -> Speed:
    if hardware.gpu is not None and _on_card(profile, hardware):
        return estimated_speed(tensors, hardware.gpu.bandwidth)
    if rates is None or (profile.name == "m1-8gb" and hardware.unified):
        return estimated_speed(tensors, hardware.bandwidth)
    return speed_of(shape, tensors, rates)


def _choose(
    profile: Profile, candidates: Sequence[Candidate], hardware: Hardware, *, prefer_permissive: bool
) -> Chosen | None:
    """The first set of models, in the profile's order, that fits together; a model for two agents counts once."""
    limit, what = limit_of(hardware, profile)
    fitting = [candidate for candidate in candidates if candidate.fits]
    own = [
        sorted(
            (candidate for candidate in fitting if candidate.agent == agent),
            key=lambda candidate: prefer_permissive and not candidate.model.licence.permissive,
        )
        for agent in profile.agents
    ]
    for models in itertools.product(*own):
        needed = _together(models) + beside(profile)
        if needed <= limit:
            return _chosen(profile, models, needed, limit, f"the models of {profile.name} fit together")
    for single in sorted(fitting, key=lambda candidate: -candidate.need.total):  # one model for every agent
        needed = single.need.total + beside(profile)
        if needed <= limit:
            reason = f"two models do not fit into {limit / 1e6:.0f} MB ({what}): {single.model.name} serves both agents"
            return _chosen(profile, [single] * len(profile.agents), needed, limit, reason)
    return None


def _together(models: Sequence[Candidate]) -> int:
    return sum({model.model.name: model.need.total for model in models}.values())


def _chosen(profile: Profile, models: Sequence[Candidate], needed: int, limit: int, reason: str) -> Chosen:
    runtime: RuntimeName = "embedded" if "embedded" in profile.runtimes else "ollama"
    pairs = dict(zip(profile.agents, models, strict=True))
    return Chosen(profile.name, runtime, pairs, needed, limit, reason)

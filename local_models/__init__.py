"""Local language models: one protocol, one implementation a file.

``open_runtime`` and ``open_encoder`` choose by the settings. They import what they need when called, so that importing
this package costs nothing.
"""

from typing import TYPE_CHECKING

from shopfloor.settings import Settings

if TYPE_CHECKING:
    from shopfloor.local_models.encoder import Encoder
    from shopfloor.local_models.runtime import Runtime

__all__ = ["ENCODER_BLOCKS", "open_encoder", "open_runtime"]

ENCODER_BLOCKS = 6


async def open_runtime(settings: Settings) -> "Runtime":
    """Open the model that the settings name: embedded, or on a server.

    Raises:
        ConfigError: the runtime is not available here, or a setting is wrong.
        ModelMissingError: the model is absent, damaged or of another architecture.
        ModelError: it can't be loaded, or its server does not answer.
    """
    from shopfloor.local_models.choosing import open_chosen

    return await open_chosen(settings)


async def open_encoder(settings: Settings, blocks: int = ENCODER_BLOCKS) -> "Encoder":
    """Load the first ``blocks`` blocks of the embedded model as an encoder; makes the file on first use (0.4 s).

    Raises:
        ModelMissingError: the model file is absent, damaged or of another architecture.
    """
    from shopfloor.local_models.opening import open_shortened

    return await open_shortened(settings, blocks)

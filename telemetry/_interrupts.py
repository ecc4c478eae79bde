"""What passes through telemetry, whoever raises it in there: nothing else does."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Final

INTERRUPTS: Final = (KeyboardInterrupt, CancelledError, GeneratorExit)
"""The user's own: from the keyboard, of a task, of a generator that nobody wants any longer."""

"""Chat models for LangChain: your own in one generator, and a few that are ready to use."""

from ._base import CustomChatModel
from ._echo import EchoChatModel
from ._errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    MissingExtraError,
    ModelClosedError,
    ModelConnectionError,
    ModelError,
    ModelFileError,
    ModelNotFoundError,
    ModelTimeoutError,
    RateLimitError,
    ScriptEndedError,
    ServerError,
    UnsupportedError,
)
from ._llama_cpp import LlamaCppChatModel
from ._openai import OpenAICompatibleChatModel
from ._script import Pause, ScriptedCall
from ._scripted import ScriptedChatModel

__all__ = [
    "AuthenticationError",
    "BadRequestError",
    "ContextTooLongError",
    "CustomChatModel",
    "EchoChatModel",
    "LlamaCppChatModel",
    "MalformedAnswerError",
    "MissingExtraError",
    "ModelClosedError",
    "ModelConnectionError",
    "ModelError",
    "ModelFileError",
    "ModelNotFoundError",
    "ModelTimeoutError",
    "OpenAICompatibleChatModel",
    "Pause",
    "RateLimitError",
    "ScriptEndedError",
    "ScriptedCall",
    "ScriptedChatModel",
    "ServerError",
    "UnsupportedError",
]

for _name in __all__:
    globals()[_name].__module__ = __name__
del _name

"""Chat models for LangChain: your own in one generator, and a few that are ready to use."""

from ._answer.cut_off import cut_off_by
from ._custom.base import CustomChatModel
from ._echo import EchoChatModel
from ._errors import (
    AnswerCutOffError,
    AnswerTooLongError,
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
from ._llama_cpp.chat_model import LlamaCppChatModel
from ._openai.chat_model import OpenAICompatibleChatModel
from ._scripted.chat_model import ScriptedChatModel
from ._scripted.script import Pause, ScriptedCall

__all__ = [
    "AnswerCutOffError",
    "AnswerTooLongError",
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
    "cut_off_by",
]

for _name in __all__:
    globals()[_name].__module__ = __name__
del _name

"""Prompts that are too long are told as such, in the words of every server that people run."""

# ruff: noqa: E501 - the words of servers as they are

from __future__ import annotations

import pytest

from nodespan.model import BadRequestError, ContextTooLongError, OpenAICompatibleChatModel
from support.hostile import HostileServer, refuses

TOO_LONG = {
    "vLLM": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
    "vLLM (prompt)": "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that `max_model_len` is no smaller than the number of text tokens.",
    "vLLM (max_tokens)": "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 4096 tokens and your request has 37 input tokens (4096 > 4096 - 37).",
    "vLLM (newer)": "You passed 5000 input tokens and requested 100 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3996 tokens. Please reduce the length of the input prompt.",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`",
    "TGI (inputs)": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500",
    "llama.cpp": "the request exceeds the available context size, try increasing it",
    "llama.cpp (counts)": "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "llama.cpp (python)": "Requested tokens (5000) exceed context window of 4096",
    "Ollama": "input length exceeds the context length",
    "Ollama (prompt)": "the prompt is too long: 9000, model maximum context length: 8192",
    "LiteLLM": "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - too big",
    "LM Studio": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input",
    "LM Studio (keep)": "The number of tokens to keep from the initial prompt is greater than the context length.",
    "SGLang": "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
    "SGLang (input)": "Input length (5000 tokens) exceeds the maximum allowed length (4090 tokens). Use a shorter input or enable --allow-auto-truncate.",
    "SGLang (total)": "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 tokens: 4000 tokens from the input messages and 1000 tokens for the completion.",
    "OpenAI": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "Azure": "This model's maximum context length is 8192 tokens, however you requested 9000 tokens (8000 in your prompt; 1000 for the completion). Please reduce your prompt; or completion length.",
    "Anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "Anthropic (limit)": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
    "Google": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Google (exceeds)": "The input token count exceeds the maximum number of tokens allowed 1048576.",
    "DeepSeek": "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (69000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
    "Mistral": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "Mistral (older)": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    "Groq": "Please reduce the length of the messages or completion.",
    "Together": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`",
    "OpenRouter": 'This endpoint\'s maximum context length is 32768 tokens. However, you requested about 40000 tokens (39000 of text input, 1000 in the output). Please reduce the length of either one, or use the "middle-out" transform to compress your prompt automatically.',
    "Moonshot": "Invalid request: Your request exceeded model token limit: 8192",
    "GLM": "Prompt exceeds max length",
    "GLM (Chinese)": "Prompt 超长",
    "DashScope": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
    "Cohere": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using a shorter prompt, or enabling prompt truncating. See https://docs.cohere.com/reference/generate for more details.",
    "Cohere (size)": "too many tokens: size limit exceeded by 100 tokens. Try using shorter or fewer inputs, or setting prompt_truncation='AUTO'.",
    "xAI": "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
    "MiniMax": "invalid params, context window exceeds limit",
    "Bedrock": "Input is too long for requested model.",
    "Cerebras": "Please reduce the length of the messages or completion. Current length is 10000 while limit is 8192",
}

OTHERWISE = [
    "max_tokens is too large: 5000. This model supports at most 4096 completion tokens, whereas you provided 5000.",
    "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
    "temperature must be less than 2",
    "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 instead.",
    "Invalid 'messages[1].name': string too long. Expected a string with maximum length 64, but got a string with length 70 instead.",
    "'max_tokens' must be at least 1",
    "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 200 instead.",
    "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6000000 bytes > 5242880 bytes",
    "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64",
    "Unrecognized request argument supplied: context_length",
    "messages: at least one message is required",
    "Invalid value for 'tool_call_id': maximum length is 40",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
    "top_logprobs must be less than or equal to 20",
    "You exceeded your current quota, please check your plan and billing details.",
    "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000.",
    "max_tokens: 10000 > 8192, which is the maximum allowed number of output tokens for this model",
    "The prompt was filtered by content management policy; please modify your prompt and retry",
    "Invalid parameter: 'prompt_cache_key' must be less than 64 characters",
    "thinking.budget_tokens must be less than max_tokens",
    "Range of max_tokens should be [1, 8192]",
    "Input validation error: `max_new_tokens` must be <= 2048. Given: 3000",
]


def _asks(server: HostileServer) -> None:
    OpenAICompatibleChatModel(base_url=server.url, model_name="m", max_retries=0).invoke("Hi")


@pytest.mark.parametrize("words", TOO_LONG.values(), ids=TOO_LONG)
@pytest.mark.parametrize("status", [400, 500])
def test_a_prompt_that_is_too_long_is_told_as_such(words: str, status: int) -> None:
    """No list of servers decides it, but what their words have in common."""
    with (
        HostileServer([refuses(status, {"error": {"message": words}})]) as server,
        pytest.raises(ContextTooLongError, match="shorten it"),
    ):
        _asks(server)


@pytest.mark.parametrize("words", OTHERWISE)
def test_other_limits_are_no_long_prompt(words: str) -> None:
    """To shorten the conversation would not help there."""
    with HostileServer([refuses(400, {"error": {"message": words}})]) as server:
        with pytest.raises(BadRequestError) as caught:
            _asks(server)
        assert not isinstance(caught.value, ContextTooLongError)


@pytest.mark.parametrize(
    "code",
    [
        *("context_length_exceeded", "exceed_context_size_error", "ContextWindowExceededError"),
        *("model_max_prompt_tokens_exceeded", "input_too_long", "1261", 1261),
    ],
)
def test_codes_are_known_whatever_the_words(code: str | int) -> None:
    """A code says it in any language."""
    with (
        HostileServer([refuses(400, {"error": {"message": "m", "code": code}})]) as server,
        pytest.raises(ContextTooLongError),
    ):
        _asks(server)

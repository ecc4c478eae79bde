// What people wrote and models said, as text.

import { el } from "./dom.js";
import { bytes, count } from "./format.js";

const LONG = 1_200;

/** What stands where content was not recorded: how it is. */
export const UNSAID = "What was said was not recorded. It is, once OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is SPAN_ONLY.";

/** Read JSON, or give nothing. */
export function parsed(text) {
  if (typeof text !== "string") return text ?? null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A message with its parts. */
export function messageView(message) {
  const role = String(message.role ?? "");
  const parts = Array.isArray(message.parts) ? message.parts : [{ type: "text", content: message.content }];
  return el(`article.message.${/^(user|assistant|system|tool)$/.test(role) ? role : "other"}`, {},
    el("header", { text: message.name ? `${role} · ${message.name}` : role }),
    ...parts.map(partView));
}

/** A part of a message: text, reasoning, a call, its result, or the size of anything else. */
export function partView(part) {
  if (typeof part === "string") return textView(part);
  if (!part || typeof part !== "object") return textView(String(part));
  switch (part.type) {
    case "text":
      return textView(asText(part.content));
    case "reasoning":
      return el("details.reasoning", {}, el("summary", { text: "Reasoning" }), textView(asText(part.content)));
    case "tool_call":
      return el("div.call", {},
        el("div.call-head", {}, el("span.glyph.tool"), el("b", { text: asText(part.name) }), el("span.dim.mono", { text: asText(part.id) })),
        jsonView(part.arguments));
    case "tool_call_response":
      return el("div.call", {}, el("div.call-head.dim", { text: `result ${asText(part.id)}` }), valueView(part.response ?? part.result));
    case "media":
      return el("div.media.dim", { text: mediaText(part) });
    default:
      return el("div.call", {}, el("div.call-head.dim", { text: asText(part.name ?? part.type) }), jsonView(part.content ?? part));
  }
}

function mediaText({ modality, mime_type: type, bytes: size, uri }) {
  return [modality ?? "media", type, typeof size === "number" ? bytes(size) : null, uri].filter(Boolean).join(" · ");
}

/** Text as it stands, cut with a button where it is long. */
export function textView(text) {
  const body = el("div.text");
  body.says = text;
  if (text.length <= LONG) {
    body.textContent = text;
    return body;
  }
  const shown = el("span", { text: `${text.slice(0, LONG)}…` });
  const more = el("button.more", {
    type: "button",
    text: `Show all ${count(text.length)} characters`,
    onclick: () => {
      shown.textContent = text;
      more.remove();
    },
  });
  body.append(shown, more);
  return body;
}

/** A value of any kind: JSON laid out, other text as it stands. */
export function valueView(value) {
  const read = typeof value === "string" && /^\s*[[{]/.test(value) ? parsed(value) : value;
  return read !== null && typeof read === "object" ? jsonView(read) : textView(asText(value));
}

/** JSON, laid out. */
export function jsonView(value) {
  const read = parsed(value) ?? value;
  if (read === undefined || read === null) return null;
  const text = typeof read === "string" ? read : JSON.stringify(read, null, 2);
  const view = textView(text);
  view.classList.add("mono");
  return view;
}

/** Any value as a text. */
export function asText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The text of a message alone. */
export function plainText(message) {
  const parts = Array.isArray(message?.parts) ? message.parts : [];
  return parts.filter((part) => part?.type === "text").map((part) => asText(part.content)).join("\n");
}

import type { AnswerFraming, Dialect } from '../dialect.js';
import {
  answersField,
  candidateField,
  CAPTURED,
  captureField,
  type Field,
  FOUND,
  jsonTextField,
  listField,
  objectField,
  presentField,
  TEXT,
  textField,
  textOrField,
} from './answer-field.js';

/**
 * Where each dialect keeps what the scanner needs (OpenAI API reference "Chat completion chunk object", Anthropic
 * "Streaming messages", Gemini "GenerateContentResponse"; extensions of compatible upstreams beside).
 */
export function fieldsOf(dialect: Dialect, framing: AnswerFraming): Field {
  switch (dialect) {
    case 'openai-chat':
      return OPENAI_CHAT;
    case 'anthropic-messages':
      return framing === 'json' ? ANTHROPIC_MESSAGE : ANTHROPIC_EVENT;
    case 'gemini-content':
      return GEMINI_CONTENT;
  }
}

const typedParts = listField(
  objectField({ text: textField(), thinking: listField(objectField({ text: textField(TEXT.reasoningContent) })) }),
);

const openaiFunction = objectField({ name: textField(), arguments: textField() });

/** `delta` of a chunk and `message` of a document have the same members. */
const openaiMessage = objectField({
  content: textOrField(typedParts),
  refusal: textField(),
  reasoning_content: textField(TEXT.reasoningContent),
  reasoning: textField(TEXT.reasoning),
  tool_calls: listField(
    objectField({ function: openaiFunction, custom: objectField({ name: textField(), input: textField() }) }),
  ),
  function_call: openaiFunction,
  audio: objectField({ transcript: textField() }),
});

const OPENAI_CHAT = objectField({
  id: captureField(CAPTURED.id),
  service_tier: captureField(CAPTURED.serviceTier),
  usage: captureField(CAPTURED.usage),
  error: presentField(FOUND.error),
  choices: answersField(
    objectField({ delta: openaiMessage, message: openaiMessage, finish_reason: presentField(FOUND.finish) }),
  ),
});

const ANTHROPIC_EVENT = objectField({
  type: captureField(CAPTURED.type),
  message: objectField({ id: captureField(CAPTURED.id), usage: captureField(CAPTURED.startUsage) }),
  usage: captureField(CAPTURED.usage),
  error: presentField(FOUND.error),
  delta: objectField({
    text: textField(),
    thinking: textField(),
    partial_json: textField(),
    content: textField(),
  }),
  // A tool's input starts as `{}` here and arrives as `partial_json`; counting it here too would double it.
  content_block: objectField({ name: textField(), text: textField(), thinking: textField() }),
});

const ANTHROPIC_MESSAGE = objectField({
  type: captureField(CAPTURED.type),
  id: captureField(CAPTURED.id),
  usage: captureField(CAPTURED.usage),
  error: presentField(FOUND.error),
  content: listField(
    objectField({ text: textField(), thinking: textField(), name: textField(), input: jsonTextField() }),
  ),
});

const GEMINI_CONTENT = objectField({
  responseId: captureField(CAPTURED.id),
  usageMetadata: captureField(CAPTURED.usage),
  error: presentField(FOUND.error),
  promptFeedback: objectField({ blockReason: presentField(FOUND.block) }),
  candidates: answersField(
    candidateField({
      index: captureField(CAPTURED.index),
      finishReason: presentField(FOUND.finish),
      content: objectField({
        parts: listField(
          objectField({
            text: textField(),
            functionCall: objectField({ name: textField(), args: jsonTextField() }),
            executableCode: objectField({ code: textField() }),
          }),
        ),
      }),
    }),
  ),
});

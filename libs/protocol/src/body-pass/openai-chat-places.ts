import { list, object, scalar, type Place } from './body-place.js';
import { spanOf } from './body-record.js';
import { BOOLEAN, NULL, STRING } from './json-kind.js';
import {
  answersPlace,
  booleanOf,
  mediaUrl,
  modelPlace,
  otherMediaPlace,
  outputLimit,
  referencePlace,
  streamPlace,
  toolType,
  word,
} from './recorded-values.js';

// Source: OpenAI API reference, "Create chat completion".

const includeUsage = scalar(BOOLEAN | NULL, {
  takes(record, value) {
    record.facts.includeUsage = booleanOf(value);
    record.facts.includeUsageSpan = spanOf(value);
    return true;
  },
});

const streamOptions = object(
  { include_usage: includeUsage },
  {
    or: NULL,
    takes(record, value) {
      record.facts.streamOptionsSpan = spanOf(value);
      return true;
    },
    closes(record, value) {
      record.facts.streamOptionsSpan = spanOf(value);
    },
  },
);

/** `video_url` is not OpenAI's own, but compatible upstreams read it. */
const contentPart = object({
  image_url: object({ url: mediaUrl(true) }, { or: NULL }),
  input_audio: object({ data: otherMediaPlace }, { or: NULL }),
  file: object({ file_data: otherMediaPlace, file_id: referencePlace }, { or: NULL }),
  video_url: object({ url: mediaUrl(false) }, { or: NULL }),
});

/** `audio.id` of an assistant's message names an earlier spoken answer that the provider keeps. */
const message = object({
  content: list(contentPart, { or: STRING | NULL }),
  audio: object({ id: referencePlace }, { or: NULL }),
});

const tool = object({ type: toolType({ names: ['function', 'custom'], prefixes: [] }) });

const webSearchOptions = object(undefined, {
  or: NULL,
  closes(record) {
    record.addHostedTool('web_search_options');
  },
});

export const openaiChatBody: Place = object(
  {
    model: modelPlace,
    messages: list(message),
    stream: streamPlace,
    stream_options: streamOptions,
    max_tokens: outputLimit('maxTokensSpan'),
    max_completion_tokens: outputLimit('maxCompletionTokensSpan'),
    n: answersPlace,
    service_tier: word('serviceTier'),
    tools: list(tool, { or: NULL }),
    web_search_options: webSearchOptions,
    previous_response_id: referencePlace,
  },
  { required: ['model', 'messages'] },
);

import { describe, expect, it } from '@jest/globals';
import { generationRouteOf, modelRouteOf } from './routes.js';

describe('routes', () => {
  it.each([
    ['/v1/chat/completions', 'openai-chat', undefined, undefined],
    ['/v1/messages', 'anthropic-messages', undefined, undefined],
    ['/v1beta/models/gemini-3.5-flash:generateContent', 'gemini-content', 'gemini-3.5-flash', false],
    ['/v1/models/gemini-3.5-flash:streamGenerateContent', 'gemini-content', 'gemini-3.5-flash', true],
    ['/v1beta/models/a%20b:generateContent', 'gemini-content', 'a b', false],
    ['/v1beta/models/%zz:generateContent', 'gemini-content', '%zz', false],
  ])('%s generates in %s', (path, dialect, model, streamed) => {
    const route = generationRouteOf(path);
    expect([route?.dialect.name, route?.pathModel, route?.pathStreamed]).toEqual([dialect, model, streamed]);
  });

  it.each(['/v1/messages/', '/v1/chat', '/v1beta/models/m', '/v1beta/models/a/b:generateContent', '/v2/models/m:generateContent'])('%s generates nothing', (path) => {
    expect(generationRouteOf(path)).toBeUndefined();
  });

  it('finds whose model list is meant', () => {
    const ofPath = (path: string, headers = {}) => modelRouteOf(path, headers)?.dialect.name;
    expect(ofPath('/v1/models')).toBe('openai-chat');
    expect(ofPath('/v1/models', { 'anthropic-version': '1' })).toBe('anthropic-messages');
    expect(ofPath('/v1/models', { 'x-goog-api-key': 'k' })).toBe('gemini-content');
    expect(ofPath('/v1beta/models')).toBe('gemini-content');
    expect(modelRouteOf('/v1/models/gpt-5.5', {})?.model).toBe('gpt-5.5');
    expect(modelRouteOf('/v1/models/a/b', {})).toBeUndefined();
  });
});

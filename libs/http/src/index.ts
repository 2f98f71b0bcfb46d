export type { UpstreamClient, UpstreamExchange, UpstreamFailure, UpstreamHandler, UpstreamRequest } from './upstream-client.js';
export { UndiciUpstreamClient } from './undici-upstream-client.js';
export type { UndiciUpstreamClientOptions } from './undici-upstream-client.js';
export { Slots } from './slots.js';
export type { Slotted } from './slots.js';
export { SettingsError, baseUrl, choice, describeSettings, documentSettings, folder, integer, optionalText, pattern, readSettings, secret, text } from './settings.js';
export type { Setting, Settings, SettingsTable } from './settings.js';

export type { UpstreamClient, UpstreamExchange, UpstreamFailure, UpstreamHandler, UpstreamRequest } from './upstream-client.js';
export { UndiciUpstreamClient } from './undici-upstream-client.js';
export type { UndiciUpstreamClientOptions } from './undici-upstream-client.js';
export { InternalCallError, InternalClient } from './internal-client.js';
export type { InternalCall, InternalCallFailure, InternalClientOptions } from './internal-client.js';
export { Slots } from './slots.js';
export type { Slotted } from './slots.js';
export { SettingsError, baseUrl, baseUrls, choice, databaseUrl, describeSettings, documentSettings, folder, integer, internalSecret, list, optionalText, pattern, readSettings, secret, secretBytes, text } from './settings.js';
export type { Setting, Settings, SettingsTable } from './settings.js';

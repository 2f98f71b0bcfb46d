export type { Adapter, AdapterFailure, AnswerHandler, AnswerHead, DispatchHead, RunningDispatch } from './adapter.js';
export type { Provider } from './provider.js';
export { ProviderAdapter } from './provider-adapter.js';
export type { ProviderAdapterOptions } from './provider-adapter.js';
export { allowedRequestHeaders } from './headers.js';

import type { JsonObject } from './dialect.js';

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

export function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function textIf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function numberIf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

import { Catch, HttpException, Inject } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { GatewayError, findEndpoint } from '@tokone/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { writeRefusal } from './client-answer.js';
import { dialectOfCaller } from './dialect-of-caller.js';
import { Gateway } from './gateway.js';

const GET_PATHS = /^(?:\/v1beta\/models|\/v1\/models|\/models)(?:\/[^/:]+)?$|^\/v1\/usage$|^\/health$/;

/** Every error of the public API that the framework sees, in the caller's dialect. */
@Catch()
export class PublicErrorFilter implements ExceptionFilter {
  constructor(@Inject(Gateway) private readonly gateway: Gateway) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const { raw: request } = host.switchToHttp().getRequest<{ raw: IncomingMessage }>();
    const reply = host.switchToHttp().getResponse<{ raw: ServerResponse; hijack(): void }>();
    const error = readError(thrown, request);
    const requestId = String(reply.raw.getHeader('x-request-id') ?? this.gateway.ports.ids.next());
    if (error.cause !== undefined) this.gateway.ports.logger.error({ requestId, code: error.code, cause: error.cause instanceof Error ? error.cause.stack : String(error.cause) }, 'request failed');
    reply.hijack();
    writeRefusal(reply.raw, { dialect: dialectOfCaller(request.url ?? '/', request.headers), error, requestId });
  }
}

function readError(thrown: unknown, request: IncomingMessage): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const status = thrown instanceof HttpException ? thrown.getStatus() : (thrown as { statusCode?: number })?.statusCode;
  if (status !== undefined && status < 500) return wrongTarget(request);
  return new GatewayError('internal_error', 'TokOne failed. Send the request again; the request id helps the operator to find it.', { cause: thrown });
}

/** No endpoint behind the framework takes a body, so whatever it dislikes about one, the path or the method is the reason. */
function wrongTarget({ url, method }: IncomingMessage): GatewayError {
  const path = (url ?? '/').split('?', 1)[0] ?? '/';
  const allow = findEndpoint(path, '') ? 'POST' : GET_PATHS.test(path) ? 'GET' : undefined;
  if (allow !== undefined && allow !== method) return new GatewayError('method_not_allowed', `${path} takes ${allow}, not ${method}.`, { allow });
  return new GatewayError('unknown_path', `There is no ${method} ${path.slice(0, 200)} here. Inference: POST /v1/chat/completions, /v1/messages, /v1beta/models/{model}:generateContent.`);
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { AccountError } from '../account-error.js';

const SHORTEST_TOKEN = 32;

/** The secret of the deployment's operator. Kept as a digest: comparing digests takes the same time for any guess. */
export class OperatorToken {
  private readonly digest: Buffer;

  /** Throws a RangeError for a token that could be guessed. */
  constructor(token: string) {
    if (token.length < SHORTEST_TOKEN) throw new RangeError(`the operator token has less than ${SHORTEST_TOKEN} characters`);
    this.digest = digestOf(token);
  }

  matches(candidate: string): boolean {
    return timingSafeEqual(digestOf(candidate), this.digest);
  }
}

/** Lets a request in that carries `Authorization: Bearer <operator token>`. */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(private readonly token: OperatorToken) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    const [, candidate] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    if (candidate !== undefined && this.token.matches(candidate)) return true;
    throw new AccountError('unauthorized', 'Send the operator token of this deployment as "Authorization: Bearer …".');
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

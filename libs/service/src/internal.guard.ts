import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';

/** The secret that the services of a deployment share. Kept as a digest: comparing digests takes the same time for any guess. */
export class InternalSecret {
  private readonly digest: Buffer;

  constructor(secret: string) {
    this.digest = digestOf(secret);
  }

  /** `authorization` is the whole header. */
  matches(authorization: string | undefined): boolean {
    const [, candidate] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    return candidate !== undefined && timingSafeEqual(digestOf(candidate), this.digest);
  }
}

/** Lets a request in that carries `Authorization: Bearer <internal secret>`. */
@Injectable()
export class InternalGuard implements CanActivate {
  constructor(@Inject(InternalSecret) private readonly secret: InternalSecret) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    if (this.secret.matches(headers['authorization'])) return true;
    throw new UnauthorizedException('This listener is for the services of the deployment: the internal secret is missing or is another one.');
  }
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

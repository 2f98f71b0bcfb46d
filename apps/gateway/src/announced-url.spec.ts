import { describe, expect, it } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { readAnnouncedUrl } from './announced-url.js';

const settings = (host: string, url?: string) => ({ INTERNAL_HOST: host, INTERNAL_PORT: 7100, TOKONE_GATEWAY_URL: url });

describe('the address that the account service is told', () => {
  it.each(['0.0.0.0', '::', '::0', '0'])('must be set when the internal listener is at %s: account would call itself', (host) => {
    const read = () => readAnnouncedUrl(settings(host));
    expect(read).toThrow(StartupError);
    expect(read).toThrow(`TOKONE_GATEWAY_URL is not set, and INTERNAL_HOST=${host} is no address`);
    expect(read).toThrow('TOKONE_GATEWAY_URL=http://gateway:7100');
  });

  it.each(['127.0.0.1', '10.0.0.7', '::1', 'gateway-1.internal', 'no host'])('is that of the listener at %s', (host) => {
    expect(readAnnouncedUrl(settings(host))).toBeUndefined();
  });

  it('is what was set, wherever the listener is', () => {
    expect(readAnnouncedUrl(settings('0.0.0.0', 'http://gateway:7100'))).toBe('http://gateway:7100');
  });
});

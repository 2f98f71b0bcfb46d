/** Where deploy/nginx.conf is to run instead of in its container. */
export interface NginxPlace {
  /** Takes everything that it writes. */
  folder: string;
  port: number;
  /** Host and port of the gateways, in the order of the file. */
  gateways: readonly string[];
}

/**
 * deploy/nginx.conf for this machine: other addresses and another folder, and every other line as it stands. Without the
 * name server of Docker, and so without `resolve`, which nginx has since 1.27.3. @throws Error when the file has not the
 * lines that are replaced
 */
export function placeNginxConfig(text: string, { folder, port, gateways }: NginxPlace): string {
  const left = [...gateways];
  const once = (from: RegExp, to: string) => (config: string) => {
    if (!from.test(config)) throw new Error(`deploy/nginx.conf has no ${from}`);
    return config.replace(from, to);
  };
  const placed = [
    once(/^\s*resolver 127\.0\.0\.11 [^;]*;\n/m, ''),
    once(/listen 8080 /, `listen 127.0.0.1:${port} `),
    once(/access_log \/dev\/stdout /, `access_log ${folder}/access.log `),
    once(/error_log \/dev\/stderr /, `error_log ${folder}/error.log `),
  ].reduce((config, replace) => replace(config), text.replace(/ \/tmp\//g, ` ${folder}/`));
  const addressed = placed.replace(/server [\w-]+:8080 resolve /g, () => `server ${left.shift()} `);
  if (left.length > 0 || addressed.includes('server undefined')) throw new Error(`deploy/nginx.conf has not ${gateways.length} gateways`);
  return addressed;
}

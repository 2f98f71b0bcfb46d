/** Ways in which the same bytes may be written. */
const FORMS: Readonly<Record<string, (text: string) => string>> = {
  'as it stands': (text) => text,
  'as JSON': (text) => JSON.stringify(text).slice(1, -1),
  'in base64': (text) => Buffer.from(text).toString('base64').replace(/=+$/, ''),
  'in base64url': (text) => Buffer.from(text).toString('base64url'),
  'in hexadecimal': (text) => Buffer.from(text).toString('hex'),
  'percent-encoded': (text) => encodeURIComponent(text),
};

/** Every secret that stands in one of the places, however it is written: "prompt in logs, in base64". */
export function findSecrets(places: Readonly<Record<string, string>>, secrets: Readonly<Record<string, string>>): string[] {
  const found = new Set<string>();
  for (const [secretName, secret] of Object.entries(secrets)) {
    if (secret.length < 12) throw new Error(`${secretName} is too short to be searched for: it would be found anywhere`);
    for (const [form, write] of Object.entries(FORMS)) {
      const written = write(secret);
      if (form !== 'as it stands' && written === secret) continue;
      for (const [place, text] of Object.entries(places)) {
        if (text.includes(written) || (form === 'in hexadecimal' && text.includes(written.toUpperCase()))) found.add(`${secretName} in ${place}, ${form}`);
      }
    }
  }
  return [...found];
}

/** The forms that a search finds, for a test of the search. */
export const SECRET_FORMS = Object.entries(FORMS);

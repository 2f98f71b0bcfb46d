import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { WORKSPACE } from '../child-program.js';
import { preparedFolder } from './prepared-folder.js';
import { runProgram } from './program-run.js';

const POM = join(WORKSPACE, 'libs', 'testing', 'src', 'servers', 'kafka-pom.xml');
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
const DOWNLOAD_TIMEOUT_MS = 600_000;
const KEY_CHARACTERS = 12;

/**
 * The folder of Apache Kafka's jars, fetched by Maven once per version; `key` names what they were made from.
 * @throws with a sentence that says what to install; of a Docker engine only where a container would do
 */
export async function findKafkaJars(java: string, { docker = true }: { docker?: boolean | undefined } = {}): Promise<{ folder: string; key: string }> {
  const key = createHash('sha256').update(PLUGIN).update(await readFile(POM)).digest('hex').slice(0, KEY_CHARACTERS);
  const folder = await preparedFolder(`kafka-${key}`, async (draft) => {
    const args = ['-B', '-q', '-ntp', '-f', POM, PLUGIN, `-DoutputDirectory=${draft}`, '-DincludeScope=runtime'];
    // A Java that is not the machine's own is none that Maven would find.
    const env: Record<string, string> = isAbsolute(java) ? { JAVA_HOME: dirname(dirname(java)) } : {};
    if ((await runProgram('mvn', args, { timeoutMs: DOWNLOAD_TIMEOUT_MS, env })) !== undefined) return;
    throw new Error(`Apache Kafka is fetched by Maven: install maven (and openjdk-17-jre-headless)${docker ? ', start a Docker engine' : ''}, or name brokers in KAFKA_BROKERS.`);
  });
  return { folder, key };
}

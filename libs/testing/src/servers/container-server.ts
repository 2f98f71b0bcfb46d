import {
  type ContainerRuntimeClient,
  GenericContainer,
  type StartedNetwork,
  type StartedTestContainer,
  StartupCheckStrategy,
  type StartupStatus,
  getContainerRuntimeClient,
} from 'testcontainers';
import { waitFor } from '../wait-for.js';
import type { OwnedServer } from './owned-server.js';

const IMAGE_TIMEOUT_MS = 300_000;
const READY_TIMEOUT_MS = 120_000;
const STOP_MS = 15_000;

export interface ContainerOrder {
  image: string;
  /** Of the container → a free one of the engine's host, the same at every start. */
  port: { inside: number; outside: number };
  env?: Record<string, string>;
  command?: string[];
  network?: { joined: StartedNetwork; alias: string };
  isReady: () => Promise<boolean>;
}

/** A server in a container of its own, which testcontainers' reaper removes when this process is gone. */
export class ContainerServer implements OwnedServer {
  readonly processId = undefined;

  private constructor(
    private readonly container: StartedTestContainer,
    private readonly client: ContainerRuntimeClient,
    private readonly order: ContainerOrder,
  ) {}

  static async start(order: ContainerOrder): Promise<ContainerServer> {
    const { image, port, env = {}, command, network } = order;
    const described = new GenericContainer(image)
      .withExposedPorts({ container: port.inside, host: port.outside })
      .withEnvironment(env)
      .withStartupTimeout(IMAGE_TIMEOUT_MS)
      .withWaitStrategy(new StartedIsEnough());
    if (command !== undefined) described.withCommand(command);
    if (network !== undefined) described.withNetwork(network.joined).withNetworkAliases(network.alias);
    const container = await described.start();
    return new ContainerServer(container, await getContainerRuntimeClient(), order);
  }

  /** A container that does not come to serve is removed. */
  async untilReady(): Promise<void> {
    const { isReady, image } = this.order;
    await waitFor(isReady, { what: `${image} to serve`, deadlineMs: READY_TIMEOUT_MS }).catch(async (late: Error) => {
      await this.discard();
      throw late;
    });
  }

  async start(): Promise<void> {
    await this.handle.start();
    await this.untilReady();
  }

  async kill(): Promise<void> {
    if (await this.isPaused()) await this.resume();
    await this.handle.kill({ signal: 'SIGKILL' }).catch(ifNotRunning);
    await this.handle.wait();
  }

  async stop(): Promise<void> {
    if (await this.isPaused()) await this.resume();
    await this.handle.stop({ t: STOP_MS / 1_000 }).catch(ifNotRunning);
  }

  async pause(): Promise<void> {
    await this.handle.pause();
  }

  async resume(): Promise<void> {
    await this.handle.unpause();
  }

  async discard(): Promise<void> {
    await this.handle.remove({ force: true, v: true });
  }

  private get handle() {
    return this.client.container.dockerode.getContainer(this.container.getId());
  }

  private async isPaused(): Promise<boolean> {
    return (await this.handle.inspect()).State.Paused;
  }
}

/** Where the ports of containers are reached: this machine, or a remote engine's. */
export async function engineHost(): Promise<string> {
  return (await getContainerRuntimeClient()).info.containerRuntime.host;
}

/** What serves is asked over its own protocol: a forwarded port accepts before anybody listens behind it. */
class StartedIsEnough extends StartupCheckStrategy {
  override async checkStartupState(): Promise<StartupStatus> {
    return 'SUCCESS';
  }
}

/** The engine answers 304 or 409 for a container that has ended by itself. */
function ifNotRunning(error: unknown): void {
  const status = (error as { statusCode?: number }).statusCode;
  if (status !== 304 && status !== 409) throw error;
}

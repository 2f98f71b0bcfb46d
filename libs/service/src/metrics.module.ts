import { Controller, Get, Inject, Module, Res } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { MetricRegistry } from '@tokone/telemetry';

interface Reply {
  header(name: string, value: string): Reply;
  send(body: string): unknown;
}

@Controller()
class MetricsController {
  constructor(@Inject(MetricRegistry) private readonly metrics: MetricRegistry) {}

  /** For Prometheus. Asks nobody who he is, like health: the listener is not for tenants. */
  @Get('/metrics')
  async metricsText(@Res() reply: Reply): Promise<void> {
    const text = await this.metrics.text();
    reply.header('content-type', this.metrics.contentType).send(text);
  }
}

/** `/metrics` of a process, for its management listener. */
@Module({})
export class MetricsModule {
  static with(metrics: MetricRegistry): DynamicModule {
    return { module: MetricsModule, controllers: [MetricsController], providers: [{ provide: MetricRegistry, useValue: metrics }] };
  }
}

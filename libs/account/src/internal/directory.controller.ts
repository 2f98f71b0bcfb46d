import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { keyQuestion, writeBalanceAnswer, writeGroupsAnswer, writeKeyAnswer, writeUpstreamsAnswer } from '@tokone/account-client';
import { readAs } from '@tokone/service';
import { z } from 'zod';
import { LocalAccountDirectory } from '../account-directory.js';
import { LocalBalanceSource } from '../balance-source.js';
import { LocalUpstreamDirectory } from '../upstream-directory.js';

const id = z.uuid();

/** What gateways and adapters ask of accounts. Each answer is one fresh read. */
@Controller('internal/account')
export class DirectoryController {
  constructor(
    @Inject(LocalAccountDirectory) private readonly directory: LocalAccountDirectory,
    @Inject(LocalUpstreamDirectory) private readonly upstreams: LocalUpstreamDirectory,
    @Inject(LocalBalanceSource) private readonly balances: LocalBalanceSource,
  ) {}

  @Post('keys/find')
  @HttpCode(200)
  async findKey(@Body() body: unknown): Promise<object> {
    return writeKeyAnswer(await this.directory.findKey(readAs(keyQuestion, body)));
  }

  @Get('groups')
  async groups(): Promise<object> {
    return writeGroupsAnswer(await this.directory.groups());
  }

  /** With credentials in the clear: adapters alone have a use for it. */
  @Get('groups/:groupId/upstreams')
  async upstreamsOf(@Param('groupId') groupId: string): Promise<object> {
    return writeUpstreamsAnswer(await this.upstreams.upstreamsOf(readAs(id, groupId)));
  }

  @Get('balances/:accountId')
  async balance(@Param('accountId') accountId: string): Promise<object> {
    return writeBalanceAnswer(await this.balances.read(readAs(id, accountId)));
  }
}

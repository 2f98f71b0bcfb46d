import type { DataSource } from 'typeorm';
import type { Platform } from '@tokone/protocol';
import { GroupEntity } from './entities/group.entity.js';

export interface GroupSummary {
  id: string;
  name: string;
  platform: Platform;
  /** Null: every priced model of the platform. */
  models: string[] | null;
  multiplierPpm: number;
  createdAt: Date;
}

/** What tenants can be sold. */
export class Groups {
  constructor(private readonly database: DataSource) {}

  async list(): Promise<GroupSummary[]> {
    return this.database.getRepository(GroupEntity).find({ order: { name: 'ASC' } });
  }
}

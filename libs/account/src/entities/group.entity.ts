import type { Platform } from '@tokone/protocol';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** `models` null: every priced model of the platform. */
@Entity('groups')
export class GroupEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') name: string;
  @Column('text') platform: Platform;
  @Column('text', { array: true, nullable: true }) models: string[] | null;
  @Column('integer', { name: 'multiplier_ppm' }) multiplierPpm: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}

/** An account at a provider. The credential is sealed and bound to (id, version). */
@Entity('upstreams')
export class UpstreamEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') name: string;
  @Column('text') platform: Platform;
  @Column('text', { name: 'base_url' }) baseUrl: string;
  @Column('bytea', { name: 'credential_sealed', select: false }) credentialSealed: Buffer;
  @Column('integer', { name: 'credential_version' }) credentialVersion: number;
  @Column('jsonb', { name: 'model_mapping' }) modelMapping: Record<string, string>;
  @Column('integer') priority: number;
  @Column('text') status: 'active' | 'disabled';
}

@Entity('group_upstreams')
export class GroupUpstreamEntity {
  @PrimaryColumn('uuid', { name: 'group_id' }) groupId: string;
  @PrimaryColumn('uuid', { name: 'upstream_id' }) upstreamId: string;
}

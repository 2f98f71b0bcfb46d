import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The tenant. Owns one wallet and its keys. */
@Entity('accounts')
export class AccountEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') name: string;
  @Column('text') status: 'active' | 'suspended';
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}

/** An account's own multiplier in a group, instead of the group's. */
@Entity('account_multipliers')
export class AccountMultiplierEntity {
  @PrimaryColumn('uuid', { name: 'account_id' }) accountId: string;
  @PrimaryColumn('uuid', { name: 'group_id' }) groupId: string;
  @Column('integer', { name: 'multiplier_ppm' }) multiplierPpm: number;
}

/** `digest` is HMAC-SHA-256(pepper, key); the key itself is nowhere. */
@Entity('keys')
export class KeyEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'account_id' }) accountId: string;
  @Column('uuid', { name: 'group_id' }) groupId: string;
  @Column('uuid', { name: 'user_id', nullable: true }) userId: string | null;
  @Column('text') name: string;
  @Column('bytea', { select: false }) digest: Buffer;
  @Column('text', { name: 'last_four' }) lastFour: string;
  @Column('text') status: 'active' | 'disabled';
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'disabled_at', nullable: true }) disabledAt: Date | null;
}

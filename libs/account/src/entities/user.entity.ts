import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A person or a program of an account, to whom several keys may belong. */
@Entity('users')
export class UserEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'account_id' }) accountId: string;
  @Column('text') name: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}

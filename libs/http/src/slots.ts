/** What can stand in `Slots`; the number is theirs to set. */
export interface Slotted {
  slot: number;
}

/**
 * Running things that come and go, thousands a second. A Set or Map grows a new table every few of them, and V8 keeps
 * a dead table's link to its successor: once one is old, the whole chain, and everything that ever stood in it, waits
 * for a full collection. Here a place is only emptied and taken again. In order of entry but for places taken again.
 */
export class Slots<Member extends Slotted> {
  size = 0;
  private readonly members: (Member | undefined)[] = [];
  private readonly free: number[] = [];

  add(member: Member): void {
    member.slot = this.free.pop() ?? this.members.length;
    this.members[member.slot] = member;
    this.size++;
  }

  /** Does nothing when it is not in. */
  delete(member: Member): void {
    if (this.members[member.slot] !== member) return;
    this.members[member.slot] = undefined;
    this.free.push(member.slot);
    this.size--;
  }

  /** Members may be added and deleted meanwhile; those that are added may or may not be visited. */
  *[Symbol.iterator](): Generator<Member> {
    for (let slot = 0; slot < this.members.length; slot++) {
      const member = this.members[slot];
      if (member !== undefined) yield member;
    }
  }

  clear(): void {
    this.members.length = 0;
    this.free.length = 0;
    this.size = 0;
  }
}

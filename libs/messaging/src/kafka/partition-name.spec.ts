import { describe, expect, it } from '@jest/globals';
import { partitionNumberOf, writePartitionName } from './partition-name.js';

describe('the name of a partition', () => {
  it('says of which cluster, topic and number it is', () => {
    const name = writePartitionName({ clusterId: '4L6g3nShT-eMCtK--X86sw', topic: 'blue.usage.recorded', partition: 11 });
    expect([name, partitionNumberOf(name)]).toEqual(['4L6g3nShT-eMCtK--X86sw:blue.usage.recorded/11', 11]);
  });
});

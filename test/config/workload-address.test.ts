import { describe, expect, test } from 'vitest';
import { parseWorkloadAddress } from '../../src/config/workload-address.ts';

describe('the address of a Workload API (Workload Endpoint 4)', () => {
  test.each([
    ['unix:///run/spire/api.sock', 'unix:/run/spire/api.sock'],
    ['unix:/run/api.sock', 'unix:/run/api.sock'],
    ['tcp://127.0.0.1:8000', 'ipv4:127.0.0.1:8000'],
    ['tcp://10.1.2.3:65535', 'ipv4:10.1.2.3:65535'],
    ['tcp://[::1]:1', 'ipv6:[::1]:1'],
    ['tcp://[fd00::1]:8000', 'ipv6:[fd00::1]:8000'],
  ])('%s is %s for gRPC', (text, target) => {
    expect(parseWorkloadAddress(text)).toEqual({ target });
  });

  test.each([
    '',
    '/run/api.sock',
    'unix://host/api.sock',
    'unix:///',
    'unix:///a?b',
    'unix:///a#b',
    'unix:a',
    'tcp://localhost:8000',
    'tcp://spire.example.org:8000',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:',
    'tcp://127.0.0.1:0',
    'tcp://127.0.0.1:65536',
    'tcp://127.0.0.1:080',
    'tcp://127.0.0.1:80/',
    'tcp://127.0.0.1:80?a',
    'tcp://127.0.0.1:80#a',
    'tcp://u@127.0.0.1:80',
    'tcp://127.1:80',
    'tcp://1.2.3.256:80',
    'tcp://::1:80',
    'tcp://[127.0.0.1]:80',
    'tcp:127.0.0.1:80',
    'http://127.0.0.1:80',
    'UNIX:///a',
    ' unix:///a',
    'tcp://127.0.0.1:80\n',
  ])('%j is none', (text) => {
    expect(parseWorkloadAddress(text)).toEqual({
      problem: 'expected the address of a Workload API, unix:///path or tcp://IP:port',
    });
  });
});

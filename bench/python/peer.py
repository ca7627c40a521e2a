"""A connector on the official SDK for Python, as its README shows one; what it serves is told by its last argument.

It is told "begin", "end" and "settle" on standard input, and ends with it; see internal/job.
"""
import asyncio
import gc
import json
import os
import resource
import sys

import vantiqconnectorsdk as sdk

PARTIAL_SIZE = 200 << 10
ROW = {'machine': 'machine-000017', 'temperature': 21.5, 'running': True}


class Peer:
    def __init__(self, job):
        self.job = job
        self.handled = 0
        self.sending = None
        sdk.setup_logging()
        self.connectors = sdk.VantiqConnectorSet()
        self.connectors.configure_handlers_for_all(self.close, self.connect, self.publish, self.query)

    def connection(self, ctx):
        return self.connectors.get_connection_for_source(ctx[sdk.VantiqConnector.SOURCE_NAME])

    async def connect(self, ctx, _config):
        if self.job['kind'] == 'notify':
            # Not inside the handler: sending waits until it has returned.
            self.sending = asyncio.create_task(self.send(self.connection(ctx)))

    async def close(self, _ctx):
        pass

    async def send(self, connection):
        record = self.job['record']
        while True:
            await connection.send_notification(record)

    async def publish(self, ctx, _message):
        self.handled += 1
        if self.handled % self.job['reportEvery'] == 0:
            await self.connection(ctx).send_notification({'handled': self.handled})

    async def query(self, ctx, _parameters):
        connection = self.connection(ctx)
        if self.job['kind'] == 'rows':
            await self.rows(ctx, connection)
            return
        if self.job.get('delay'):
            await asyncio.sleep(self.job['delay'] / 1e9)
        await connection.send_query_response(ctx, sdk.VantiqConnector.QUERY_COMPLETE, [ROW])

    async def rows(self, ctx, connection):
        record, rest = self.job['record'], self.job['rows']
        per_partial = PARTIAL_SIZE // len(json.dumps(record))
        while rest > per_partial:
            await connection.send_query_response(ctx, sdk.VantiqConnector.QUERY_PARTIAL, [record] * per_partial)
            rest -= per_partial
        await connection.send_query_response(ctx, sdk.VantiqConnector.QUERY_COMPLETE, [record] * rest)

    async def obey(self):
        """Does what standard input says, until it ends."""
        stdin = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
        async for line in stdin:
            word = line.decode().strip()
            if word == 'settle':
                gc.collect()
            if word in ('end', 'settle'):
                print(json.dumps({'event': 'report', 'report': {}}), flush=True)

    async def run(self):
        serving = asyncio.create_task(self.connectors.run_connectors())
        obeying = asyncio.create_task(self.obey())
        done, _ = await asyncio.wait([serving, obeying], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if serving in done:
            raise RuntimeError('the connectors have ended by themselves')
        os._exit(0)  # closing what still serves is not worth waiting for


def configure(job):
    """Writes the server.config that the SDK reads from the working directory, which is a temporary one."""
    os.makedirs('serverConfig', exist_ok=True)
    sources = ','.join(f'bench-{i}' for i in range(job['sources']))
    with open('serverConfig/server.config', 'w', encoding='utf-8') as file:
        file.write(f"targetServer={job['url']}\nauthToken={job['token']}\nsources={sources}\nsendPings=true\n")


def main():
    job = json.loads(sys.argv[-1])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    configure(job)
    asyncio.run(Peer(job).run())


main()

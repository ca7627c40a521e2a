"""A connector on the official SDK for Python, made as its README says. It does what Behaviour in behaviour.go says."""
import asyncio
import sys

from vantiqconnectorsdk import VantiqConnector, VantiqConnectorConfigException, VantiqConnectorSet, setup_logging

PARTIAL, COMPLETE, EMPTY = VantiqConnector.QUERY_PARTIAL, VantiqConnector.QUERY_COMPLETE, VantiqConnector.QUERY_EMPTY


class Connector:
    def __init__(self):
        self.connectors = VantiqConnectorSet()
        self.connectors.configure_handlers_for_all(self.close, self.connect, self.publish, self.query)
        self.closed = 0
        self.tasks = set()

    def connection(self, ctx):
        return self.connectors.get_connection_for_source(ctx[VantiqConnector.SOURCE_NAME])

    async def connect(self, ctx, config):
        # Not inside the handler: sending waits until it has returned.
        task = asyncio.create_task(self.tell(ctx, config))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def tell(self, ctx, config):
        if self.closed:
            await self.connection(ctx).send_notification({'closed': self.closed})
        await self.connection(ctx).send_notification({'configured': config})

    async def close(self, _ctx):
        self.closed += 1

    async def publish(self, ctx, message):
        await self.connection(ctx).send_notification({'published': message})

    async def query(self, ctx, parameters):
        connection = self.connection(ctx)
        rows = [{'n': n} for n in range(parameters.get('rows', 0))]
        empty, error = parameters.get('empty'), parameters.get('error')
        partial = parameters.get('partial') or len(rows) + 1
        kept = 0 if empty or error else 1
        while len(rows) >= partial + kept:
            await connection.send_query_response(ctx, PARTIAL, rows[:partial])
            rows = rows[partial:]
        if error:
            await connection.send_query_error(ctx, {
                VantiqConnector.ERROR_CODE: 'interop.asked',
                VantiqConnector.ERROR_TEMPLATE: 'it was asked to fail: {0}',
                VantiqConnector.ERROR_PARAMETERS: [error],
            })
        elif 'row' in parameters:
            await connection.send_query_response(ctx, COMPLETE, parameters['row'])
        elif empty or not rows:
            await connection.send_query_response(ctx, EMPTY, None)
        else:
            await connection.send_query_response(ctx, COMPLETE, rows)


async def main():
    await Connector().connectors.run_connectors()


setup_logging()
try:
    asyncio.run(main())
except VantiqConnectorConfigException as e:
    sys.exit(f'configuration: {e}')

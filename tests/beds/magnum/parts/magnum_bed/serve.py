"""Magnum's API with its conductor in the same process: serve.py PORT --config-file FILE..."""
import sys

from werkzeug import serving

from magnum.common import context
from magnum.common import rpc_service
from magnum.common import short_id
from magnum.conductor.handlers import ca_conductor
from magnum.conductor.handlers import cluster_conductor
from magnum.conductor.handlers import conductor_listener
from magnum.conductor.handlers import credential_conductor
from magnum.conductor.handlers import federation_conductor
from magnum.conductor.handlers import indirection_api
from magnum.conductor.handlers import nodegroup_conductor
import magnum.conf
from magnum.servicegroup import magnum_service_periodic

CONF = magnum.conf.CONF


class Handler(serving.WSGIRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_request(self, *args):
        pass


def main():
    port = int(sys.argv.pop(1))
    # Importing it reads the command line and makes the application.
    from magnum.wsgi.api import application

    handlers = [indirection_api, cluster_conductor, conductor_listener, credential_conductor, ca_conductor,
                federation_conductor, nodegroup_conductor]
    conductor = rpc_service.Service.create(CONF.conductor.topic, short_id.generate_id(),
                                           [module.Handler() for module in handlers], binary='magnum-conductor')
    conductor.start()
    # Once in place of every minute: the row that says that a conductor is up.
    tasks = magnum_service_periodic.MagnumServicePeriodicTasks(CONF, 'magnum-conductor')
    tasks.update_magnum_service(context.make_admin_context(all_tenants=True))
    serving.make_server('127.0.0.1', port, application, threaded=True, request_handler=Handler).serve_forever()


if __name__ == '__main__':
    main()

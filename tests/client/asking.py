"""Passes requests on to a service, each with the microversion that it should ask for unless it names one itself.

asking.py VERSION TARGET PORT-FILE: listens on a free port of loopback, which it writes into PORT-FILE, until it is ended.
Who talks to it as to an HTTP proxy reaches other services through it, too, and those requests stay as they are.
"""
import http.client
import http.server
import sys
import urllib.parse

version, target, port_file = sys.argv[1:]
target = urllib.parse.urlsplit(target)
# What holds for one connection and not for the message.
OWN = {"connection", "host", "content-length", "transfer-encoding", "keep-alive"}


class Asking(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
        asked = urllib.parse.urlsplit(self.path)
        to = asked if asked.netloc else target
        if to.netloc == target.netloc and "openstack-api-version" not in map(str.lower, headers):
            headers["OpenStack-API-Version"] = f"container-infra {version}"
        service = http.client.HTTPConnection(to.hostname, to.port)
        service.request(self.command, asked._replace(scheme="", netloc="").geturl(), body, headers)
        answer = service.getresponse()
        said = answer.read()
        service.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OWN:
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

    def log_message(self, *_):
        """Says nothing: the service has a log."""


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asking)
with open(port_file, "w") as file:
    file.write(str(server.server_port))
server.serve_forever()

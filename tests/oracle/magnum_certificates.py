"""Magnum's own keeping of certificates: `store`, `read` or `delete`, with the backend that a configuration file names.

magnum_certificates.py <magnum.conf> store <name>     makes an authority with Magnum's code and stores it; prints its reference
magnum_certificates.py <magnum.conf> read <ref>       prints the certificate, and the key without its passphrase
magnum_certificates.py <magnum.conf> delete <ref>     deletes it
magnum_certificates.py <magnum.conf> open <key> <passphrase>   prints the key of a file without its passphrase
"""
import json
import logging
import sys

logging.disable(logging.CRITICAL)

import magnum.conf  # noqa: E402
from magnum.common import context  # noqa: E402
from magnum.common import rpc  # noqa: E402
from magnum.common import short_id  # noqa: E402

path, verb, *rest = sys.argv[1:]
CONF = magnum.conf.CONF
rpc.set_defaults(control_exchange='magnum')
CONF([], project='magnum', default_config_files=[path])

from magnum.common import cert_manager  # noqa: E402
from magnum.common.x509 import operations  # noqa: E402


def text(value):
    return value.decode() if isinstance(value, bytes) else value


caller = context.RequestContext(user_id='u1', project_id='p1', is_admin=True, all_tenants=True)
backend = cert_manager.get_backend().CertManager
if verb == 'store':
    passphrase = short_id.generate_id()
    pair = operations.generate_ca_certificate(rest[0], encryption_password=passphrase)
    # The local backend of Magnum 23 writes text and is given bytes: what it is given here is what it can write.
    if CONF.certificates.cert_manager_type == 'local':
        pair = {name: text(value) for name, value in pair.items()}
    reference = backend.store_cert(
        certificate=pair['certificate'], private_key=pair['private_key'], private_key_passphrase=passphrase,
        name=rest[0], context=caller)
    print(json.dumps({'reference': reference, 'certificate': text(pair['certificate'])}))
elif verb == 'read':
    found = backend.get_cert(rest[0], context=caller)
    print(json.dumps({'certificate': text(found.get_certificate()), 'key': text(found.get_decrypted_private_key())}))
elif verb == 'delete':
    backend.delete_cert(rest[0], context=caller)
    print('{}')
elif verb == 'open':
    with open(rest[0]) as file:
        print(json.dumps({'key': text(operations.decrypt_key(file.read(), rest[1]))}))

"""A certificate authority that speaks ACME (RFC 8555), for `cargo xtask acme`: acme2certifier, as its package has it.

Two things differ from a public authority: every name is this machine, and the check of a name (tls-alpn-01, RFC 8737)
connects to the port of the service under test, where a public one connects to 443.

    authority.py FOLDER PORT SERVICE_PORT
"""

import datetime
import os
import ssl
import sys

folder, port, service_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.chdir(folder)

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)


def certificate(name, key, issuer_name, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer_name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=9))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def pem_key(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


root_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
root = certificate(
    root_name,
    root_key,
    root_name,
    root_key,
    [
        (x509.BasicConstraints(True, None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False),
    ],
)
own_key = ec.generate_private_key(ec.SECP256R1())
own = certificate(
    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    own_key,
    root_name,
    root_key,
    [(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)],
)
write("root.pem", root.public_bytes(serialization.Encoding.PEM))
write("root-key.pem", pem_key(root_key))
now = datetime.datetime.now(datetime.timezone.utc)
revoked = x509.CertificateRevocationListBuilder().issuer_name(root_name)
revoked = revoked.last_update(now).next_update(now + datetime.timedelta(days=9)).sign(root_key, hashes.SHA256())
write("revoked.pem", revoked.public_bytes(serialization.Encoding.PEM))
write("own.pem", own.public_bytes(serialization.Encoding.PEM))
write("own-key.pem", pem_key(own_key))
write(
    "acme_srv.cfg",
    f"""[DEFAULT]
debug: False
[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: {folder}/root-key.pem
issuing_ca_cert: {folder}/root.pem
issuing_ca_crl: {folder}/revoked.pem
cert_validity_days: 9
cert_save_path: {folder}/issued
ca_cert_chain_list: []
[DBhandler]
handler_module: acme2certifier.dbhandlers.wsgi_handler
dbfile: {folder}/acme.db
""".encode(),
)
os.makedirs("issued", exist_ok=True)
os.environ["ACME_SRV_CONFIGFILE"] = f"{folder}/acme_srv.cfg"
os.environ["ACME_SRV_DB_HANDLER"] = "wsgi"

from acme2certifier.acme_srv import helper

ask_for_certificate = helper.servercert_get
helper.fqdn_resolve = lambda *_, **__: (["127.0.0.1"], False, None)
helper.servercert_get = lambda logger, name, _port, proxy, sni, connect_host=None: ask_for_certificate(
    logger, name, service_port, proxy, sni, connect_host="127.0.0.1"
)

from acme2certifier.share.acme2certifier_wsgi import application, get_handler_cls
from socketserver import ThreadingMixIn
from wsgiref.simple_server import ServerHandler, WSGIServer, make_server

# The client reads HTTP/1.1 only.
ServerHandler.http_version = "1.1"


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


server = make_server("127.0.0.1", port, application, Server, get_handler_cls())
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("own.pem", "own-key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.base_environ["HTTPS"] = "on"
print("serving", flush=True)
server.serve_forever()

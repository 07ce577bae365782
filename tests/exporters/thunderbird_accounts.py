"""The accounts that a running Thunderbird has, and whether they can log in."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import NamedTuple

from marionette import Thunderbird

# Thunderbird's own numbers: nsMsgSocketType and nsMsgAuthMethod.
ON_STARTTLS, ON_TLS = 2, 3
WITHOUT_LOGIN, PASSWORD, ENCRYPTED_PASSWORD, OAUTH2 = 1, 3, 4, 10

_LIST = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const manager = MailServices.accounts;
const outgoing = key => {
  const s = MailServices.outgoingServer.getServerByKey(key);
  return ["smtp", s.serverURI.host, s.serverURI.port, s.socketType, s.authMethod, s.username];
};
return JSON.stringify(manager.accounts.filter(a => a.incomingServer.type != "none").map(account => {
  const s = account.incomingServer;
  const identity = account.defaultIdentity;
  return {
    key: account.key,
    is_default: manager.defaultAccount?.key == account.key,
    label: s.prettyName,
    name: identity.fullName,
    address: identity.email,
    folder: s.localPath.path,
    fetches_at_start: s.loginAtStartUp,
    fetches_mail: s.doBiff && (s.type != "pop3" || s.downloadOnBiff),
    leaves_mail: s.type != "pop3" || s.QueryInterface(Ci.nsIPop3IncomingServer).leaveMessagesOnServer,
    servers: [[s.type, s.hostname, s.port, s.socketType, s.authMethod, s.username], outgoing(identity.smtpServerKey)],
  };
}));
"""
_TRUST = """
Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(arguments[0], "CT,,");
"""
# Every name leads to the given address. The answer is "" for a login that worked, else what was wrong.
_LOGIN = """
const [direction, password, ip, done] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
Services.prefs.setStringPref("network.dns.forceResolve", ip);
const account = MailServices.accounts.accounts[0];
if (direction == "incoming") {
  account.incomingServer.password = password;
  account.incomingServer.verifyLogon({
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
    OnStartRunningUrl() {},
    OnStopRunningUrl: (_url, status) => done(status ? `status ${status}` : ""),
  }, null);
} else {
  const { SmtpClient } = ChromeUtils.importESModule("resource:///modules/SmtpClient.sys.mjs");
  const server = MailServices.outgoingServer
    .getServerByKey(account.defaultIdentity.smtpServerKey)
    .QueryInterface(Ci.nsISmtpServer);
  server.password = password;
  const client = new SmtpClient(server);
  client.onidle = () => { done(""); client.quit(); };
  client.onerror = (_status, message) => done(message || "refused");
  client.connect();
}
"""


class Server(NamedTuple):
    """A server as the program uses it."""

    type: str
    host: str
    port: int
    socket_type: int
    method: int
    username: str


class Mailbox(NamedTuple):
    """An account as the program shows it, its own local folders aside."""

    key: str
    is_default: bool
    label: str
    name: str
    address: str
    folder: str
    fetches_at_start: bool
    fetches_mail: bool  # every few minutes
    leaves_mail: bool  # on the server
    servers: tuple[Server, Server]  # incoming, outgoing


def mailboxes(program: Thunderbird) -> list[Mailbox]:
    """The accounts, in the order of the folder list."""
    found = []
    for facts in json.loads(program.execute(_LIST)):
        incoming, outgoing = facts.pop("servers")
        found.append(Mailbox(**facts, servers=(Server(*incoming), Server(*outgoing))))
    return found


def trust(program: Thunderbird, ca_file: Path) -> None:
    """Let the program take certificates of this authority for genuine."""
    program.execute(_TRUST, base64.b64encode(ssl.PEM_cert_to_DER_cert(ca_file.read_text())).decode())


def login(program: Thunderbird, direction: str, password: str, ip: str) -> str:
    """Log in to the first account's server for "incoming" or "outgoing" mail: "" if that worked, else why not."""
    answer = program.wait_for(_LOGIN, direction, password, ip)
    assert isinstance(answer, str)
    return answer

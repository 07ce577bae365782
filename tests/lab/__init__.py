"""A laboratory of real mail, DNS and web servers on loopback addresses, and small servers that misbehave."""

from .addresses import FLAWED, HOSTS, MAIL_PORTS
from .certificates import Authority
from .daemons import missing
from .laboratory import Lab, open_lab

__all__ = ["FLAWED", "HOSTS", "MAIL_PORTS", "Authority", "Lab", "missing", "open_lab"]

"""Examples of web server configuration for the files of ``publishing``. Pure.

Outlook asks with POST and wants the login name of the person in the answer. nginx can do both with what it has: it
reads the request's body (``mirror``), answers with the file although the method is POST (``error_page``), and puts the
address in the place of the placeholder (``sub_filter``). An address counts only if it is one of the domain and has no
character that XML gives a meaning to. Apache httpd answers POST with a file by itself, but replaces nothing in it.
"""

from __future__ import annotations

from .model import PLACEHOLDERS, Address

AUTOCONFIG = "autoconfig/mail/config-v1.1.xml"
AUTODISCOVER = "autodiscover/autodiscover.xml"
PACC = ".well-known/user-agent-configuration.json"
FOLDER = "/var/www/mail-settings"  # stands for wherever the files are put
_ADDRESS, _LOCAL_PART, _DOMAIN = PLACEHOLDERS
_PERSON = r"[^<>&@\s]+"  # no character that could end the text of an XML element, or the local part


def names(domain: Address, *, with_pacc: bool) -> tuple[str, ...]:
    """The host names under which the files are published, beside the domain's own."""
    prefixes = ("autoconfig", "autodiscover", *(("ua-auto-config",) if with_pacc else ()))
    return tuple(f"{prefix}.{domain.domain}" for prefix in prefixes)


def nginx(domain: Address, autodiscover: bytes, *, with_pacc: bool) -> bytes:
    """A file for the ``http`` block of nginx; ``autodiscover`` is the file in which placeholders are replaced."""
    suffix = "".join(character if character.isalnum() else "_" for character in domain.domain)
    host = "|".join(dict.fromkeys(name.replace(".", r"\.") for name in (domain.domain, domain.domain_unicode)))
    groups = {
        _ADDRESS: rf"(?<found>{_PERSON}@(?:{host}))",
        _LOCAL_PART: rf"(?<found>{_PERSON})@(?:{host})",
    }
    maps: list[str] = []
    filters: list[str] = []
    for number, (placeholder, group) in enumerate(groups.items()):
        if placeholder.encode() not in autodiscover:
            continue
        variable, found = f"mail_login_{number}_{suffix}", f"mail_found_{number}_{suffix}"
        pattern = rf"~*<EMailAddress>\s*{group.replace('found', found, 1)}\s*</EMailAddress>"
        maps += [f"map $request_body ${variable} {{", f'    default "{placeholder}";']
        maps += [f'    "{pattern}" ${found};', "}"]
        filters.append(f"        sub_filter {placeholder} ${variable};")
    lines = [
        "# nginx, for its http block: for example /etc/nginx/conf.d/mail-settings.conf.",
        f"# {FOLDER} stands for the folder with these files.",
        *maps,
        "",
        "server {",
        "    listen 443 ssl;",
        "    listen [::]:443 ssl;",
        f"    server_name {' '.join(names(domain, with_pacc=with_pacc))};",
        "    ssl_certificate /etc/ssl/mail-settings.pem;",
        "    ssl_certificate_key /etc/ssl/mail-settings.key;",
        f"    root {FOLDER};",
        "",
        "    location = /mail/config-v1.1.xml {",
        f"        root {FOLDER}/autoconfig;",
        "        types { }",
        "        default_type text/xml;",
        "        charset utf-8;",
        "    }",
        "    # The same in the server block of the domain itself makes this a second way to find it.",
        "    location = /.well-known/autoconfig/mail/config-v1.1.xml {",
        f"        alias {FOLDER}/{AUTOCONFIG};",
        "        types { }",
        "        default_type text/xml;",
        "        charset utf-8;",
        "    }",
        *(_nginx_pacc() if with_pacc else ()),
        "    # Outlook asks with POST, and in several spellings.",
        r"    location ~* ^/autodiscover/autodiscover\.xml$ {",
        "        client_max_body_size 16k;",
        "        client_body_buffer_size 16k;",
        "        mirror /mail-settings-read-body;",
        f"        try_files /{AUTODISCOVER} =404;",
        f"        error_page 405 =200 /{AUTODISCOVER};",
        "        types { }",
        "        default_type text/xml;",
        "        charset utf-8;",
        *filters,
        "        sub_filter_once off;",
        "        sub_filter_types text/xml;",
        "    }",
        "    location = /mail-settings-read-body {",
        "        internal;",
        "        return 204;",
        "    }",
        r"    location ~ \.mobileconfig$ {",
        "        types { }",
        "        default_type application/x-apple-aspen-config;",
        "    }",
        "}",
    ]
    return ("\n".join(lines) + "\n").encode()


def apache(domain: Address, *, with_pacc: bool) -> bytes:
    """A virtual host for Apache httpd 2.4."""
    first, *further = names(domain, with_pacc=with_pacc)
    lines = [
        "# Apache httpd 2.4 with mod_ssl and mod_alias: for example /etc/apache2/sites-available/mail-settings.conf.",
        f"# {FOLDER} stands for the folder with these files.",
        "# httpd cannot put the address that Outlook asks about into autodiscover.xml: that takes a script, or nginx.",
        "",
        "<VirtualHost *:443>",
        f"    ServerName {first}",
        f"    ServerAlias {' '.join(further)}",
        "    SSLEngine on",
        "    SSLCertificateFile /etc/ssl/mail-settings.pem",
        "    SSLCertificateKeyFile /etc/ssl/mail-settings.key",
        f"    DocumentRoot {FOLDER}",
        "    # These two lines in the virtual host of the domain itself make a second way to find it.",
        rf'    AliasMatch "^(/\.well-known/autoconfig)?/mail/config-v1\.1\.xml$" "{FOLDER}/{AUTOCONFIG}"',
        f'    <Directory "{FOLDER}">',
        "        Require all granted",
        '        <FilesMatch "\\.xml$">',
        '            ForceType "text/xml; charset=utf-8"',
        "        </FilesMatch>",
        '        <FilesMatch "\\.json$">',
        "            ForceType application/json",
        "        </FilesMatch>",
        '        <FilesMatch "\\.mobileconfig$">',
        "            ForceType application/x-apple-aspen-config",
        "        </FilesMatch>",
        "    </Directory>",
        "    # Outlook asks in several spellings.",
        rf'    AliasMatch "(?i)^/autodiscover/autodiscover\.xml$" "{FOLDER}/{AUTODISCOVER}"',
        "</VirtualHost>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _nginx_pacc() -> tuple[str, ...]:
    return (
        f"    location = /{PACC} {{",
        "        types { }",
        "        default_type application/json;",
        "    }",
    )

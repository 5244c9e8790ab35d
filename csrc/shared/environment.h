/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The environment variables of a mount that the daemon goes by when it asks registries for that mount: HELLO brings
 * those that are set (control.h). */

#ifndef CRFS_ENVIRONMENT_H
#define CRFS_ENVIRONMENT_H

static const char *const crfs_environment_names[] = {
    /* where files of configuration and credentials are */
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "REGISTRY_AUTH_FILE",
    "DOCKER_CONFIG",
    "CONTAINERS_REGISTRIES_CONF",
    "_CONTAINERS_ROOTLESS_UID",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    /* proxies */
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    /* options of `crfs mount` */
    "CRFS_CREDS",
    "CRFS_TLS_VERIFY",
    "CRFS_CERT_DIR",
    "CRFS_POLICY",
    "CRFS_INSECURE_POLICY",
    "CRFS_LAZY",
    /* of the mount, for `crfs status`: by which driver, and why; the mount namespace that it is in; and what it is of,
     * since a later daemon is asked for that by its digest */
    "CRFS_MOUNT_DRIVER",
    "CRFS_MOUNT_NAMESPACE",
    "CRFS_MOUNT_CONFIGURATION",
    /* for credential helpers: to be found, and to find what they keep */
    "PATH",
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "CLOUDSDK_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
};

#endif

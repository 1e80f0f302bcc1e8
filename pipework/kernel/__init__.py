"""Where pipework meets the kernel: netlink, namespaces, sysfs, sockets, locks and programs."""

"""The same work in shards: by several processes of one machine, or by Ray on several machines. N workers give the bits of one."""

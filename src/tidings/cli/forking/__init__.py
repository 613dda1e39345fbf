"""Services and short jobs as forks of one process that has imported what they share.

Importing is most of what a start costs: this way it is paid once, a killed service is back in a
fraction of a second, and the memory is shared. `tidings run` needs none of it.
"""

"""The composition root: settings become values, adapters and servers, in lexical lifetimes.

From the command line down, each using those below it:

    commands, demo, worker, latency     what is started, and until when
    config_file, simulation             what it is started with, and what a reload brings
    running, scaled                     one process that does all, or one with workers
    listening, admin                    the two listeners
    opening                             all that is behind them, opened for as long as they are
    metrics                             what of it is read at `/metrics`
    process                             the configuration in force, and how the next one follows
    gateway, errands                    one configuration as stages
    state, tracing                      what outlives configurations: shared state, traces,
    caching, meaning, measuring, ...    the cache,
    keeping, archiving, derived         who keeps the archive, and what is made of it
    values, prices, credentials, ...    settings as the domain's values

Without a gateway: latency and probing ask deployments by `direct`.
"""

//! Named links, written as anybody could type them. They are made up, after published ranges for such networks: a recording
//! belongs to whoever made it.

/// Name, what it is like, and its options.
pub const PROFILES: &[(&str, &str, &str)] = &[
    ("perfect", "nothing is changed: what the model itself costs", ""),
    (
        "home-wifi",
        "a good wireless network with a short queue",
        "rate=40mbit,delay=4ms,jitter=3ms,queue=80ms,loss=0.1%,burst=2",
    ),
    (
        "bad-wifi",
        "a crowded one: little rate, much jitter, losses in bursts, short stalls",
        "rate=2.5mbit,delay=10ms,jitter=15ms,queue=250ms,loss=2%,burst=3,on-off=2s:80ms:random,outage=hold",
    ),
    (
        "lte-driving",
        "a mobile network from a moving car: the rate falls and rises by ten, in seconds; nothing is lost, all of it waits",
        "delay=20ms,jitter=5ms,queue=400kB,outage=hold,on-off=12s:400ms:random,\
         up.rate=900kbit/2s:1.6mbit/5s:700kbit/7s:250kbit/9s:500kbit/12s:1.2mbit/16s:2.4mbit/19s:1mbit/21s:180kbit/23s:400kbit\
         /26s:800kbit/30s:1.5mbit/33s:600kbit/36s:1.1mbit/40s:repeat,\
         down.rate=6mbit/3s:9mbit/6s:3mbit/8s:1mbit/10s:2mbit/14s:5mbit/18s:12mbit/22s:4mbit/24s:700kbit/27s:3mbit/31s:8mbit\
         /36s:5mbit/40s:repeat",
    ),
    (
        "umts",
        "an old mobile network: slow, far, with seconds of queue",
        "delay=70ms,jitter=20ms,queue=200kB,loss=0.3%,outage=hold,\
         up.rate=384kbit/8s:128kbit/14s:256kbit/20s:384kbit/30s:repeat,down.rate=1.5mbit/9s:500kbit/15s:1mbit/30s:repeat",
    ),
    (
        "satellite",
        "a geostationary satellite",
        "up.rate=3mbit,down.rate=20mbit,delay=280ms,jitter=8ms,queue=300ms,loss=0.5%,burst=2",
    ),
    (
        "blackout",
        "a fair link that is cut for ten seconds of every thirty",
        "rate=10mbit,delay=20ms,queue=200ms,on-off=20s:10s",
    ),
];

/// The options of a profile.
pub(super) fn options(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|profile| profile.0 == name).map(|profile| profile.2)
}

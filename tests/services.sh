#!/usr/bin/env bash
# The servers that tests talk to, from Debian's packages: installed where their programs are missing, started where
# nobody answers on their port. What runs already is left as it is.
set -euo pipefail

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
missing() { ! command -v "$1" >/dev/null && ! [ -x "/usr/sbin/$1" ] && ! ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1; }

packages=()
missing redis-server && packages+=(redis-server)
missing postgres && packages+=(postgresql)
missing mariadbd && packages+=(mariadb-server)
missing rabbitmq-server && packages+=(rabbitmq-server)
missing nats-server && packages+=(nats-server)
missing mosquitto && packages+=(mosquitto)
missing faketime && packages+=(faketime)
missing pgbouncer && packages+=(pgbouncer)
missing openssl && packages+=(openssl)
missing chromium && packages+=(chromium) # for the console's tests
if [ ${#packages[@]} -gt 0 ]; then
    echo "installing ${packages[*]} …"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# Servers of our own, open to everybody on loopback, which is what the tests' default URLs expect.
own=$(mktemp -d /tmp/shike-services.XXXXXX)
chmod 755 "$own"
if ! answers 6379; then
    redis-server --daemonize yes --bind 127.0.0.1 --port 6379 --save "" --appendonly no >/dev/null
fi
if ! answers 5432; then
    bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | sort -V | tail -1)")
    install -d -o postgres "$own/postgres"
    runuser -u postgres -- "$bin/initdb" -D "$own/postgres" -U postgres -A trust -E UTF8 --locale=C >/dev/null
    runuser -u postgres -- "$bin/pg_ctl" -D "$own/postgres" -o "-k $own/postgres" -l "$own/postgres/log" -w start >/dev/null
    "$bin/createdb" -h 127.0.0.1 -U postgres test
fi
if ! answers 3306; then
    install -d -o mysql "$own/mysql"
    mariadb-install-db --no-defaults --user=mysql --datadir="$own/mysql" --auth-root-authentication-method=normal >/dev/null
    setsid mariadbd --no-defaults --user=mysql --datadir="$own/mysql" --socket="$own/mysql/socket" \
        --bind-address=127.0.0.1 >"$own/mysql.log" 2>&1 &
    for _ in $(seq 100); do answers 3306 && break; sleep 0.1; done
fi
if ! answers 4222; then
    setsid nats-server -a 127.0.0.1 -p 4222 -js -sd "$own/nats" >"$own/nats.log" 2>&1 &
    for _ in $(seq 100); do answers 4222 && break; sleep 0.1; done
fi
if ! answers 1883; then
    printf 'listener 1883 127.0.0.1\nallow_anonymous true\n' >"$own/mosquitto.conf"
    setsid mosquitto -c "$own/mosquitto.conf" >"$own/mosquitto.log" 2>&1 &
    for _ in $(seq 100); do answers 1883 && break; sleep 0.1; done
fi
if ! answers 5672; then
    rabbitmq-server -detached >/dev/null 2>&1 || true # it may be starting already: its package does that on some systems
    for _ in $(seq 300); do answers 5672 && break; sleep 0.2; done
fi

for server in redis:6379 postgres:5432 mariadb:3306 nats:4222 mqtt:1883 rabbitmq:5672; do
    answers "${server#*:}" && echo "$server answers" || { echo "$server does not answer"; exit 1; }
done

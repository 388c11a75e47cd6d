# Have ldirectord read configuration files, and print what it has read of each: a line of JSON.
# Its functions are taken from the program; what it would start is not. The paths come one to a line.

use JSON::PP;

open(my $file, '<', '/usr/sbin/ldirectord') or die;
my $program = join('', <$file>);
close($file);
$program =~ s/^use strict;$/no strict;/m;
$program =~ s/\n# command line options\n.*?\n# functions\n/\n/s or die 'ldirectord has another form';
$program =~ s/^__END__.*//ms;
eval "$program; 1" or die $@;
$main::DAEMON_STATUS = 1;
$main::IPVSADM = '/sbin/ipvsadm';
$main::CFGNAME = 'test';
$main::DEBUG = 0;

$| = 1;
while (my $path = <STDIN>) {
    chomp($path);
    my $pid = open(my $child, '-|') // die;
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        $main::CONFIG = $path;
        read_config();
        print JSON::PP->new->canonical->allow_blessed->encode(\@main::VIRTUAL), "\n";
        exit(0);
    }
    my $text = join('', <$child>);
    close($child);
    $text =~ s/\n/ /g;
    print "$text\n";
}

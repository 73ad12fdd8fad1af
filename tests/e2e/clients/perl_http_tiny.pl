# Perl's HTTP::Tiny; the formats of cases and observations are described in case_list.py.
use strict;
use warnings;
use Digest::SHA;
use HTTP::Tiny;
use JSON::PP;
use Time::HiRes;

my $PATTERN = "lunar-0123456789abcdefghijklmnopqrstuvwxyz\n";
my $json = JSON::PP->new->canonical;
$| = 1;

sub payload {
    my ($size, $chunked) = @_;
    my $body = substr($PATTERN x ($size / length($PATTERN) + 1), 0, $size);
    return $body unless $chunked;
    return sub { substr($body, 0, 50000, '') };
}

sub observe {
    my ($name, $method, $url, $headers, $size, $flags) = split /\t/, shift, -1;
    my %flag = map { my ($key, $value) = split /=/; ($key => $value // 1) } split /,/, $flags;
    my %fields = map { split /: /, $_, 2 } split /\x1f/, $headers;
    my ($digest, $length, $apart, $last) = (Digest::SHA->new(256), 0, 0, undef);
    my %options = (headers => \%fields);
    $options{content} = payload($size, $flag{chunked}) if $size ne '-';
    $options{data_callback} = sub {
        my $now = Time::HiRes::time();
        $apart++ if defined $last && $now - $last > 0.15;
        $last = $now;
        $digest->add($_[0]);
        $length += length $_[0];
    };
    my $trust = $flag{untrusted} ? '/etc/ssl/certs/ca-certificates.crt' : $ENV{SSL_CERT_FILE};
    my $http = HTTP::Tiny->new(timeout => $flag{timeout} // 10, max_redirect => $flag{follow} ? 5 : 0,
        verify_SSL => 1, SSL_options => { SSL_ca_file => $trust });
    my $response = $http->request($method, $url, \%options);
    my %seen = (name => $name, status => $response->{status}, reason => $response->{reason}, headers => $response->{headers},
        protocol => $response->{protocol}, redirects => scalar @{ $response->{redirects} // [] });
    $seen{error} = $response->{content} if $response->{status} == 599;
    $seen{peer} = $http->{handle}{fh}->peerhost if $http->{handle} && $http->{handle}{fh};
    $seen{body} = { size => $length, sha256 => $digest->hexdigest };
    $seen{body}{'one by one'} = $apart if $flag{stream};
    print $json->encode(\%seen), "\n";
}

open my $cases, '<', $ARGV[0] or die "$ARGV[0]: $!";
while (my $line = <$cases>) {
    chomp $line;
    observe($line);
}

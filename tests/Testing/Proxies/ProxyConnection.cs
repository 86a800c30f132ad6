using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;

namespace Granary.Testing.Proxies;

/// <summary>A client's connection, HTTP/1.1 with bodies of stated length.</summary>
internal sealed class ProxyConnection : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly PipeReader _reader;

    public ProxyConnection(TcpClient client)
    {
        _client = client;
        _stream = client.GetStream();
        _reader = PipeReader.Create(_stream);
    }

    /// <summary>Ends a connection without a goodbye: what was not read yet is lost.</summary>
    public static void Reset(TcpClient client)
    {
        try
        {
            client.Client.LingerState = new LingerOption(enable: true, seconds: 0);
            client.Close();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or NullReferenceException)
        {
            // It has ended already; TcpClient.Client is null then.
        }
    }

    public void Reset() => Reset(_client);

    /// <summary>Reads a request's head; null where the client has left.</summary>
    public async Task<ProxiedRequest?> ReadHeadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await _reader.ReadAsync(cancellationToken);
            if (TryReadHead(read.Buffer, out var head, out var end))
            {
                _reader.AdvanceTo(end);
                return Parse(head);
            }

            _reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
            {
                return null;
            }
        }
    }

    public async Task<byte[]> ReadBodyAsync(int length, CancellationToken cancellationToken)
    {
        if (length == 0)
        {
            return [];
        }

        var read = await _reader.ReadAtLeastAsync(length, cancellationToken);
        if (read.Buffer.Length < length)
        {
            throw new IOException("The client left within its request.");
        }

        var body = read.Buffer.Slice(0, length).ToArray();
        _reader.AdvanceTo(read.Buffer.GetPosition(length));
        return body;
    }

    /// <summary>Waits until the client leaves, or the connection is reset; what comes meanwhile is dropped.</summary>
    public async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await _reader.ReadAsync(cancellationToken);
            _reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    public async Task WriteAsync(string head, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        await _stream.WriteAsync(Encoding.Latin1.GetBytes(head), cancellationToken);
        await _stream.WriteAsync(body, cancellationToken);
    }

    public void Dispose()
    {
        _reader.Complete();
        _client.Dispose();
    }

    private static bool TryReadHead(ReadOnlySequence<byte> buffer, out string head, out SequencePosition end)
    {
        var reader = new SequenceReader<byte>(buffer);
        var found = reader.TryReadTo(out ReadOnlySequence<byte> bytes, "\r\n\r\n"u8);
        (head, end) = (found ? Encoding.Latin1.GetString(bytes) : "", reader.Position);
        return found;
    }

    private static ProxiedRequest Parse(string head)
    {
        var lines = head.Split("\r\n");
        if (lines[0].Split(' ') is not [var method, var target, _])
        {
            throw new InvalidOperationException($"'{lines[0]}' is not a request's first line.");
        }

        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in lines[1..])
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon]] = line[(colon + 1)..].Trim();
        }

        return headers.ContainsKey("Transfer-Encoding")
            ? throw new InvalidOperationException("A request's body has no stated length.")
            : new ProxiedRequest(method, target, headers, int.Parse(headers.GetValueOrDefault("Content-Length", "0"), CultureInfo.InvariantCulture));
    }
}

// What KEDA's own azure-eventhub scaler reads of our checkpoints: `keda-check ENDPOINT CONTAINER NAMESPACE HUB GROUP PARTITION…`
// prints the sequence number of each partition's checkpoint, found with KEDA's code and `checkpointStrategy: blobMetadata`.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/kedacore/keda/v2/pkg/scalers/azure"
)

func main() {
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "keda-check:", err)
		os.Exit(1)
	}
}

func check(arguments []string) error {
	if len(arguments) < 6 {
		return fmt.Errorf("usage: ENDPOINT CONTAINER NAMESPACE HUB GROUP PARTITION…")
	}
	endpoint, container, namespace, hub, group := arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]
	// The emulator's account, whose key is published.
	connection := "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=" + endpoint + "/devstoreaccount1;"
	client, err := azblob.NewClientFromConnectionString(connection, nil)
	if err != nil {
		return err
	}
	info := azure.EventHubInfo{
		EventHubConnection:    "Endpoint=sb://" + namespace + "/;SharedAccessKeyName=x;SharedAccessKey=eA==;EntityPath=" + hub,
		EventHubConsumerGroup: group,
		BlobContainer:         container,
		CheckpointStrategy:    "blobMetadata",
	}
	for _, partition := range arguments[5:] {
		checkpoint, err := azure.GetCheckpointFromBlobStorage(context.Background(), client, info, partition)
		if err != nil {
			return fmt.Errorf("partition %s: %w", partition, err)
		}
		fmt.Println(partition, checkpoint.SequenceNumber)
	}
	return nil
}
